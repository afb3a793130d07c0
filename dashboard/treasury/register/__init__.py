"""The register of the house's bank accounts: what each is for, which statements it gives, which pool it serves."""

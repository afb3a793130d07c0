"""What a file is, found out without trusting it.

`sniffing` reads the first and last bytes here. Decoders (pictures, PDF) read the whole of it in a process of their
own, with little memory and time, no right to write a byte, and no environment: whatever a file does to a decoder, it
does it there. `asking` starts that process, `child` is what runs in it.
"""

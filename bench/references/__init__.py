"""The programs that the product is measured against, each as lean as a right one can be."""

// Nothing to call: the library replaces a function of the C library.

"""The command line `vesselkit`: thin commands over the other packages."""

"""Pure maths: no I/O, no clock, integers and fractions only."""

"""A lab on this machine: a real OpenDaylight, a network of its own, hypervisors with Open vSwitch.

Belongs here: what gets, starts, stops and wires them, for tests and for the demo.  Does not belong
here: anything that knows what Gluon asks of OpenDaylight.
"""

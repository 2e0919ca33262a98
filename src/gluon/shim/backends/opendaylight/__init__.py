"""Drives OpenDaylight with netvirt, over RESTCONF.

    options      what an operator configures
    paths        places in OpenDaylight's data, and their URLs                      pure
    errors       what a failed exchange means
    restconf     requests and answers
    discovery    which RESTCONF and which models it speaks
    dialects     vpn-instances and vpn-interfaces in each release's words           pure
    names        ids and marks by which our objects are known                       pure
    resources    content to be written, and whether what is held differs            pure
    wanted       VPNs and their members, as the model wants them                    pure
    networks     Neutron's networks, subnets and ports, and genius' interfaces      pure
    turns        who may work on a VPN or a port at the same time
    settling     waits until netvirt has followed
    writing      reads, writes what differs, removes what is unused
    vpns         what both modes have in common; l3vpn, bgpvpn: each mode
    peering      BGP sessions and tunnels
    holding      what OpenDaylight holds of ours
    watching     ports that come up and go down, an OpenDaylight that came back empty
    backend      the callbacks

Belongs here: all that is known of OpenDaylight.  No cache decides anything: what is ours is known by
its mark and its id, and whatever is written is compared with what is held.
"""

from gluon.shim.backends.opendaylight.backend import OpenDaylightBackend

__all__ = ["OpenDaylightBackend"]

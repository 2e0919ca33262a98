"""The example to copy: binds every port as an Open vSwitch port, and logs each callback.

There is no controller behind it, so it has nothing to list in an `inventory`, to ask for its
`health` or to `report` later.  docs/how-to/write-a-backend.md has two backends that do.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import ClassVar

from oslo_config import cfg

from gluon.shim.backend import Backend, Binding, Model, Object

log = logging.getLogger(__name__)


class DummyBackend(Backend):
    """Drives nothing."""

    options: ClassVar[Mapping[str, Sequence[cfg.Opt]]] = {
        "shim_dummy": [
            cfg.StrOpt("bridge_name", default="br-gluon", help="The bridge that bound ports are plugged into."),
        ]
    }

    async def bind_port(self, port: Object, model: Model) -> Binding:
        """Binds the port, with or without a service binding; also on the host that it migrates to."""
        inactive = "" if port.active else " (inactive)"
        bindings = len(model.service_bindings_of(port))
        log.info("bind_port %s on %s%s, %d service bindings", port.key, port["host_id"], inactive, bindings)
        return Binding("ovs", {"port_filter": False, "bridge_name": self.context.conf.shim_dummy.bridge_name})

    async def unbind_port(self, port: Object, model: Model) -> None:
        """Logs the callback."""
        log.info("unbind_port %s from %s", port.key, port["host_id"])

    async def modify_port(self, port: Object, previous: Object | None, model: Model) -> None:
        """Logs the callback."""
        log.info("modify_port %s: %s", port.key, _changed(port, previous))

    async def delete_port(self, port: Object, model: Model) -> None:
        """Logs the callback."""
        log.info("delete_port %s", port.key)

    async def modify_interface(self, interface: Object, previous: Object | None, model: Model) -> None:
        """Logs the callback."""
        log.info("modify_interface %s: %s", interface.key, _changed(interface, previous))

    async def delete_interface(self, interface: Object, model: Model) -> None:
        """Logs the callback."""
        log.info("delete_interface %s", interface.key)

    async def modify_service(self, service: Object, previous: Object | None, model: Model) -> None:
        """Logs the callback."""
        log.info("modify_service %s: %s", service.key, _changed(service, previous))

    async def delete_service(self, service: Object, model: Model) -> None:
        """Logs the callback."""
        log.info("delete_service %s", service.key)

    async def modify_service_binding(self, binding: Object, previous: Object | None, model: Model) -> None:
        """Logs the callback, and shows how a binding leads to its service and its port."""
        service, port = model.service_of(binding), model.port_of(binding)
        log.info(
            "modify_service_binding %s: %s joins service %s on %s",
            binding.key,
            binding.attributes.get("ipaddress"),
            service.key if service else "?",
            port["host_id"] if port else "?",
        )

    async def delete_service_binding(self, binding: Object, model: Model) -> None:
        """Logs the callback."""
        log.info("delete_service_binding %s", binding.key)

    async def modify_object(self, obj: Object, previous: Object | None, model: Model) -> None:
        """Logs the callback."""
        log.info("modify_object %s %s: %s", obj.type, obj.key, _changed(obj, previous))

    async def delete_object(self, obj: Object, model: Model) -> None:
        """Logs the callback."""
        log.info("delete_object %s %s", obj.type, obj.key)


def _changed(obj: Object, previous: Object | None) -> str:
    if previous is None:
        return "new"
    changed = [name for name, value in obj.attributes.items() if previous.attributes.get(name) != value]
    return f"changed {', '.join(changed)}" if changed else "applied again"

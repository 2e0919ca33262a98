BEGIN TRANSACTION;
CREATE TABLE net_l3vpn_bgppeering (
	id VARCHAR(36) NOT NULL, 
	tenant_id VARCHAR(36) NOT NULL, 
	name VARCHAR(64), 
	local_ip_address VARCHAR(45) NOT NULL, 
	peer_ip_address VARCHAR(45) NOT NULL, 
	as_number BIGINT NOT NULL, 
	peer_as_number BIGINT, 
	created_at VARCHAR(27) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	status_reason TEXT, 
	CONSTRAINT pk_net_l3vpn_bgppeering PRIMARY KEY (id)
);
CREATE TABLE net_l3vpn_dataplanetunnel (
	id VARCHAR(36) NOT NULL, 
	tenant_id VARCHAR(36) NOT NULL, 
	name VARCHAR(64), 
	local_tunnel_endpoint VARCHAR(45) NOT NULL, 
	remote_tunnel_endpoint VARCHAR(45) NOT NULL, 
	created_at VARCHAR(27) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	status_reason TEXT, 
	CONSTRAINT pk_net_l3vpn_dataplanetunnel PRIMARY KEY (id)
);
CREATE TABLE net_l3vpn_interface (
	id VARCHAR(36) NOT NULL, 
	tenant_id VARCHAR(36) NOT NULL, 
	name VARCHAR(64), 
	port_id VARCHAR(36) NOT NULL, 
	segmentation_type VARCHAR(12), 
	segmentation_id BIGINT, 
	created_at VARCHAR(27) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	status_reason TEXT, 
	CONSTRAINT pk_net_l3vpn_interface PRIMARY KEY (id), 
	CONSTRAINT fk_net_l3vpn_interface_port_id FOREIGN KEY(port_id) REFERENCES net_l3vpn_port (id) ON DELETE RESTRICT
);
INSERT INTO "net_l3vpn_interface" VALUES('00000000-0000-4000-8000-000000000001','5b1a2d3c-0000-4000-8000-000000000001','p1_default','00000000-0000-4000-8000-000000000001','none',0,'2026-11-25T14:14:54.807823Z','2026-11-25T14:14:54.807823Z',NULL);
INSERT INTO "net_l3vpn_interface" VALUES('00000000-0000-4000-8000-000000000002','5b1a2d3c-0000-4000-8000-000000000001','p2_default','00000000-0000-4000-8000-000000000002','none',0,'2026-11-25T14:14:54.835576Z','2026-11-25T14:14:54.835576Z',NULL);
INSERT INTO "net_l3vpn_interface" VALUES('00000000-0000-4000-8000-000000000003','5b1a2d3c-0000-4000-8000-000000000001','p3_default','00000000-0000-4000-8000-000000000003','none',0,'2026-11-25T14:14:57.843250Z','2026-11-25T14:14:57.843250Z',NULL);
INSERT INTO "net_l3vpn_interface" VALUES('00000000-0000-4000-8000-000000000004','5b1a2d3c-0000-4000-8000-000000000001','p4_default','00000000-0000-4000-8000-000000000004','none',0,'2026-11-25T14:14:57.846485Z','2026-11-25T14:14:57.846485Z',NULL);
INSERT INTO "net_l3vpn_interface" VALUES('00000000-0000-4000-8000-000000000005','5b1a2d3c-0000-4000-8000-000000000001','p5_default','00000000-0000-4000-8000-000000000005','none',0,'2026-11-25T14:14:57.853635Z','2026-11-25T14:14:57.853635Z',NULL);
CREATE TABLE net_l3vpn_port (
	id VARCHAR(36) NOT NULL, 
	tenant_id VARCHAR(36) NOT NULL, 
	name VARCHAR(64), 
	mac_address VARCHAR(17) NOT NULL, 
	admin_state_up BOOLEAN, 
	status VARCHAR(6), 
	vnic_type VARCHAR(27), 
	mtu BIGINT, 
	vlan_transparency BOOLEAN, 
	profile TEXT, 
	device_id VARCHAR(255), 
	device_owner VARCHAR(255), 
	host_id VARCHAR(255), 
	vif_type VARCHAR(64), 
	vif_details TEXT, 
	created_at VARCHAR(27) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	status_reason TEXT, 
	bind_request INTEGER, 
	bind_revision INTEGER, 
	CONSTRAINT pk_net_l3vpn_port PRIMARY KEY (id)
);
INSERT INTO "net_l3vpn_port" VALUES('00000000-0000-4000-8000-000000000001','5b1a2d3c-0000-4000-8000-000000000001','p1','c8:2a:14:04:43:01',1,'ACTIVE','normal',1500,0,'{"a":1}','vm1',NULL,'c1','ovs','{"bridge_name":"br-gluon","port_filter":false}','2026-11-25T14:14:54.807823Z','2026-11-25T14:14:54.831984Z',NULL,1,4);
INSERT INTO "net_l3vpn_port" VALUES('00000000-0000-4000-8000-000000000002','5b1a2d3c-0000-4000-8000-000000000001','p2','c8:2a:14:04:43:02',1,'ERROR','normal',1500,0,NULL,'vm2',NULL,'c9','binding_failed','{}','2026-11-25T14:14:54.835576Z','2026-11-25T14:14:57.836628Z','no controller answered within 3 s: check that a shim runs and serves this host; then set host_id or device_id again',3,9);
INSERT INTO "net_l3vpn_port" VALUES('00000000-0000-4000-8000-000000000003','5b1a2d3c-0000-4000-8000-000000000001','p3','c8:2a:14:04:43:03',1,'DOWN','normal',1500,0,NULL,NULL,NULL,NULL,'unbound','{}','2026-11-25T14:14:57.843250Z','2026-11-25T14:14:57.843250Z',NULL,NULL,NULL);
INSERT INTO "net_l3vpn_port" VALUES('00000000-0000-4000-8000-000000000004','5b1a2d3c-0000-4000-8000-000000000001','p4','c8:2a:14:04:43:04',1,'BUILD','normal',1500,0,NULL,'vm4',NULL,'c1','unbound','{}','2026-11-25T14:14:57.846485Z','2026-11-25T14:14:58.964970Z',NULL,14,33);
INSERT INTO "net_l3vpn_port" VALUES('00000000-0000-4000-8000-000000000005','5b1a2d3c-0000-4000-8000-000000000001','p5','c8:2a:14:04:43:05',0,'DOWN','normal',1500,0,NULL,'vm5',NULL,'c2','ovs','{"bridge_name":"br-gluon","port_filter":false}','2026-11-25T14:14:57.853635Z','2026-11-25T14:14:57.863802Z',NULL,9,18);
CREATE TABLE net_l3vpn_vpnafconfig (
	vrf_rt_value VARCHAR(21) NOT NULL, 
	tenant_id VARCHAR(36) NOT NULL, 
	vrf_rt_type VARCHAR(19), 
	import_route_policy VARCHAR(32), 
	export_route_policy VARCHAR(32), 
	created_at VARCHAR(27) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	status_reason TEXT, 
	CONSTRAINT pk_net_l3vpn_vpnafconfig PRIMARY KEY (vrf_rt_value)
);
INSERT INTO "net_l3vpn_vpnafconfig" VALUES('64512:1','5b1a2d3c-0000-4000-8000-000000000001',NULL,NULL,NULL,'2026-11-25T14:14:57.870861Z','2026-11-25T14:14:57.870861Z',NULL);
CREATE TABLE net_l3vpn_vpnbinding (
	interface_id VARCHAR(36) NOT NULL, 
	service_id VARCHAR(36) NOT NULL, 
	tenant_id VARCHAR(36) NOT NULL, 
	ipaddress VARCHAR(45), 
	subnet_prefix BIGINT, 
	gateway VARCHAR(45), 
	created_at VARCHAR(27) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	status_reason TEXT, 
	CONSTRAINT pk_net_l3vpn_vpnbinding PRIMARY KEY (interface_id), 
	CONSTRAINT fk_net_l3vpn_vpnbinding_interface_id FOREIGN KEY(interface_id) REFERENCES net_l3vpn_interface (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_net_l3vpn_vpnbinding_service_id FOREIGN KEY(service_id) REFERENCES net_l3vpn_vpnservice (id) ON DELETE RESTRICT
);
INSERT INTO "net_l3vpn_vpnbinding" VALUES('00000000-0000-4000-8000-000000000001','00000000-0000-4000-8000-000000000101','5b1a2d3c-0000-4000-8000-000000000001',NULL,NULL,NULL,'2026-11-25T14:14:57.949380Z','2026-11-25T14:14:57.949380Z',NULL);
CREATE TABLE net_l3vpn_vpnservice (
	id VARCHAR(36) NOT NULL, 
	tenant_id VARCHAR(36) NOT NULL, 
	name VARCHAR(64), 
	description VARCHAR(256), 
	ipv4_family VARCHAR(255), 
	ipv6_family VARCHAR(255), 
	route_distinguishers VARCHAR(32), 
	created_at VARCHAR(27) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	status_reason TEXT, 
	CONSTRAINT pk_net_l3vpn_vpnservice PRIMARY KEY (id)
);
INSERT INTO "net_l3vpn_vpnservice" VALUES('00000000-0000-4000-8000-000000000101','5b1a2d3c-0000-4000-8000-000000000001',NULL,NULL,'64512:1',NULL,NULL,'2026-11-25T14:14:57.940605Z','2026-11-25T14:14:57.940605Z',NULL);
CREATE TABLE net_l3vpn_vpnservice_ipv4_family (
	owner VARCHAR(36) NOT NULL, 
	target VARCHAR(21) NOT NULL, 
	CONSTRAINT pk_net_l3vpn_vpnservice_ipv4_family PRIMARY KEY (owner, target), 
	CONSTRAINT fk_net_l3vpn_vpnservice_ipv4_family_owner FOREIGN KEY(owner) REFERENCES net_l3vpn_vpnservice (id) ON DELETE CASCADE, 
	CONSTRAINT fk_net_l3vpn_vpnservice_ipv4_family_target FOREIGN KEY(target) REFERENCES net_l3vpn_vpnafconfig (vrf_rt_value) ON DELETE RESTRICT
);
INSERT INTO "net_l3vpn_vpnservice_ipv4_family" VALUES('00000000-0000-4000-8000-000000000101','64512:1');
CREATE TABLE net_l3vpn_vpnservice_ipv6_family (
	owner VARCHAR(36) NOT NULL, 
	target VARCHAR(21) NOT NULL, 
	CONSTRAINT pk_net_l3vpn_vpnservice_ipv6_family PRIMARY KEY (owner, target), 
	CONSTRAINT fk_net_l3vpn_vpnservice_ipv6_family_owner FOREIGN KEY(owner) REFERENCES net_l3vpn_vpnservice (id) ON DELETE CASCADE, 
	CONSTRAINT fk_net_l3vpn_vpnservice_ipv6_family_target FOREIGN KEY(target) REFERENCES net_l3vpn_vpnafconfig (vrf_rt_value) ON DELETE RESTRICT
);
CREATE TABLE outbox (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	proton VARCHAR(255) NOT NULL, 
	object VARCHAR(255) NOT NULL, 
	"key" TEXT NOT NULL, 
	session VARCHAR(36), 
	rewrite INTEGER NOT NULL, 
	created_at VARCHAR(27) NOT NULL
);
CREATE INDEX ix_outbox_object ON outbox (proton, object, "key", id);
CREATE INDEX ix_outbox_session_id ON outbox (session, id);
CREATE INDEX ix_net_l3vpn_interface_port_id ON net_l3vpn_interface (port_id);
CREATE INDEX ix_net_l3vpn_vpnservice_ipv4_family_target ON net_l3vpn_vpnservice_ipv4_family (target);
CREATE INDEX ix_net_l3vpn_vpnservice_ipv6_family_target ON net_l3vpn_vpnservice_ipv6_family (target);
CREATE INDEX ix_net_l3vpn_vpnbinding_service_id ON net_l3vpn_vpnbinding (service_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',14);
COMMIT;

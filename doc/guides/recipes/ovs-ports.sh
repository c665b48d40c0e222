ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev
ovs-vsctl add-port br0 p0 -- set Interface p0 type=dpdk options:dpdk-devargs=0000:01:00.0
ovs-vsctl add-port br0 p1 -- set Interface p1 type=dpdk options:dpdk-devargs=0000:02:00.0

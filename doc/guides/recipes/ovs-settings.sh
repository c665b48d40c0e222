ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true \
	other_config:dpdk-alloc-mem=256 other_config:pmd-cpu-mask=0x2 \
	other_config:dpdk-extra="-d librte_iommu_ioasid.so --iova-mode=va --in-memory"

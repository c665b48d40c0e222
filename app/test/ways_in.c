/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A small DPDK application that knows nothing of the plugin: starts all ports, sends a
 * burst from each to the other end of its cable, cleans up. How it comes to use the
 * plugin is a matter of how it is linked (meson.build) and started (test_ways_in.py).
 *
 * As a secondary process it only tells which ports there are. Words of its own:
 *
 *	refuse  allocate until that is refused, and free it
 *	wait    until the end of stdin, while EAL follows device events
 */

#define ALLOW_EXPERIMENTAL_API /* device events, in 22.11 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#define BURST   32
#define SECONDS 30
#define LENGTH  64

/* Such a name must not get into the way of the plugin's own. */
struct options {
	int unused;
} options;

static void
start(uint16_t port, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = { 0 };
	char name[RTE_ETH_NAME_MAX_LEN];

	rte_eth_dev_get_name_by_port(port, name);
	if (rte_eth_dev_configure(port, 1, 1, &conf) < 0 ||
	    rte_eth_rx_queue_setup(port, 0, 256, rte_eth_dev_socket_id(port), NULL, pool) < 0 ||
	    rte_eth_tx_queue_setup(port, 0, 256, rte_eth_dev_socket_id(port), NULL) < 0 ||
	    rte_eth_dev_start(port) < 0 || rte_eth_promiscuous_enable(port) < 0)
		rte_exit(EXIT_FAILURE, "port %u (%s) does not start\n", port, name);
	printf("port %u: %s\n", port, name);
}

static void
send_one(uint16_t port, struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m == NULL)
		return;
	memset(rte_pktmbuf_append(m, LENGTH), 0xff, LENGTH);
	if (rte_eth_tx_burst(port, 0, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

/* Send and receive until a burst has arrived; packets sent before the link is up are lost. */
static unsigned int
exchange(uint16_t from, uint16_t to, struct rte_mempool *pool)
{
	const uint64_t end = rte_get_timer_cycles() + SECONDS * rte_get_timer_hz();
	struct rte_mbuf *received[BURST];
	unsigned int count = 0;

	while (count < BURST && rte_get_timer_cycles() < end) {
		uint16_t n = rte_eth_rx_burst(to, 0, received, BURST);

		rte_pktmbuf_free_bulk(received, n);
		count += n;
		send_one(from, pool);
		rte_delay_us_sleep(1000);
	}
	return count;
}

static void
refuse(void)
{
	enum { MAX = 256, SIZE = 4 << 20 };
	void *p[MAX];
	int n = 0;

	while (n < MAX && (p[n] = rte_malloc(NULL, SIZE, 0)) != NULL) {
		memset(p[n], 0x5a, SIZE);
		n++;
	}
	printf("%s after %d\n", n < MAX ? "refused" : "never refused", n);
	while (n > 0)
		rte_free(p[--n]);
}

static void
wait_for_end(void)
{
	if (rte_dev_event_monitor_start() < 0)
		rte_exit(EXIT_FAILURE, "no device events: %s\n", rte_strerror(rte_errno));
	printf("waiting\n");
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	rte_dev_event_monitor_stop();
}

static void
work(void)
{
	struct rte_mempool *pool;
	uint16_t port;

	pool = rte_pktmbuf_pool_create("packets", 4095, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       (int)rte_socket_id());
	if (pool == NULL)
		rte_exit(EXIT_FAILURE, "no memory for packets: %s\n", rte_strerror(rte_errno));
	RTE_ETH_FOREACH_DEV(port)
	start(port, pool);
	if (rte_eth_dev_count_avail() == 2)
		printf("received %u and %u packets\n", exchange(0, 1, pool), exchange(1, 0, pool));
}

static void
tell_ports(void)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	uint16_t port;

	RTE_ETH_FOREACH_DEV(port)
	{
		rte_eth_dev_get_name_by_port(port, name);
		printf("port %u: %s\n", port, name);
	}
}

int
main(int argc, char **argv)
{
	int consumed = rte_eal_init(argc, argv);
	uint16_t port;

	if (consumed < 0)
		return EXIT_FAILURE;
	printf("%d arguments left behind %s\n", argc - consumed - 1, argv[consumed]);
	if (rte_eal_process_type() == RTE_PROC_SECONDARY) {
		tell_ports();
		return rte_eal_cleanup();
	}
	work();
	for (int i = consumed + 1; i < argc; i++) {
		if (strcmp(argv[i], "refuse") == 0)
			refuse();
		else if (strcmp(argv[i], "wait") == 0)
			wait_for_end();
	}
	RTE_ETH_FOREACH_DEV(port)
	rte_eth_dev_stop(port);
	printf("cleaned up: %d\n", rte_eal_cleanup());
	return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A DPDK application that allocates and frees, for the tests in the lab; it knows nothing
 * of the plugin. At each step the IOMMU's page table of BDF, as the kernel shows it, must
 * hold DPDK's memory and not a byte more or less. After EAL's arguments BDF, and then
 * what to do, one after the other:
 *
 *	grow MIB[,MIB]...  allocate memory of these sizes, free it: it is smaller again
 *	reserve            what --legacy-mem and --no-huge have: all of it from the start
 *	refuse MIB         allocate pieces of MIB until that is refused, free them, once more
 *	inject             5 MiB, with each possible failure in the kernel on the way
 *	heap IOVA          a heap of external memory there; 0: at its VA, -IOVA: is refused
 *	extmem             two cabled ports pass on packets in registered external memory
 *	wait               until the end of stdin
 *	linger             after rte_eal_cleanup(), until the end of stdin
 *	ask MIB            allocate so much, which is refused (the check of BDF is not made:
 *	                   for secondary processes, the primary waits)
 *
 * Prints what it did; exits with 0 if all of it went as it should.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_mempool.h>

#include "client.h"
#include "fail_nth.h"

#define MIB  (1ul << 20)
#define HEAP "test"

/* ---- what the kernel says */

/* A line is one leaf entry; the column of the last number that is not 0 tells its size. */
static uint64_t
leaf_size(const char *line)
{
	static const uint64_t sizes[] = { 1ul << 39, 1ul << 30, 1ul << 21, 1ul << 12 };
	char copy[256], *save = NULL, *word;
	uint64_t entry[8] = { 0 };
	int n = 0, level = 3;

	snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok_r(copy, " |\t\n", &save); word != NULL && n < 8;
	     word = strtok_r(NULL, " |\t\n", &save))
		entry[n++] = strtoull(word, NULL, 16);
	/* IOVA_PFN, PML5E, PML4E, PDPE, PDE, PTE */
	while (level > 0 && entry[level + 2] == 0)
		level--;
	return sizes[level];
}

/* Bytes that the device can reach; the largest page of its table. */
static uint64_t
reachable(const char *bdf, uint64_t *largest)
{
	char path[128], line[256];
	uint64_t sum = 0, size, max = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/debug/iommu/intel/%s/domain_translation_struct",
		 bdf);
	f = fopen(path, "r");
	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "0x", 2) != 0) /* a heading */
			continue;
		size = leaf_size(line);
		sum += size;
		max = RTE_MAX(max, size);
	}
	fclose(f);
	if (largest != NULL)
		*largest = max;
	return sum;
}

static int64_t
vmstat(const char *wanted)
{
	char name[64];
	int64_t value, found = -1;
	FILE *f = fopen("/proc/vmstat", "r");

	CHECK(f != NULL);
	while (fscanf(f, "%63s %" SCNd64, name, &value) == 2)
		if (strcmp(name, wanted) == 0)
			found = value;
	fclose(f);
	CHECK(found >= 0);
	return found;
}

/* Of the whole machine, where nobody else pins. */
static int64_t
pinned_pages(void)
{
	return vmstat("nr_foll_pin_acquired") - vmstat("nr_foll_pin_released");
}

static int
add_segment(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	uint64_t *sum = arg;

	if ((!msl->external || msl->heap) && ms->iova != RTE_BAD_IOVA)
		*sum += ms->len;
	return 0;
}

static uint64_t
dpdk_memory(void)
{
	uint64_t sum = 0;

	CHECK(rte_memseg_walk(add_segment, &sum) == 0);
	return sum;
}

/* The point of it all. */
static void
check(const char *bdf)
{
	const uint64_t has = reachable(bdf, NULL), wanted = dpdk_memory();

	if (has == wanted)
		return;
	printf("%s reaches %" PRIu64 " KiB of DPDK's %" PRIu64 " KiB\n", bdf, has >> 10,
	       wanted >> 10);
	exit(1);
}

/* ---- grow, reserve */

static void
use(void *p, size_t size)
{
	memset(p, 0x5a, size);
}

/* "1,2,3": the sizes in bytes; returns how many. */
static int
parse_sizes(const char *text, size_t *sizes, int max)
{
	char copy[64], *save = NULL;
	int n = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
		CHECK(n < max);
		sizes[n++] = (size_t)atoi(w) * MIB;
	}
	return n;
}

static void
grow(const char *bdf, const char *text)
{
	enum { MAX = 16 };
	size_t sizes[MAX];
	const int n = parse_sizes(text, sizes, MAX);
	const uint64_t before = dpdk_memory();
	const int64_t pinned = pinned_pages();
	uint64_t grown, page;
	void *p[MAX];

	check(bdf);
	for (int i = 0; i < n; i++) {
		p[i] = rte_malloc(NULL, sizes[i], 0);
		CHECK(p[i] != NULL);
		use(p[i], sizes[i]);
		check(bdf);
	}
	grown = dpdk_memory();
	CHECK(grown > before);
	CHECK(pinned_pages() > pinned);
	reachable(bdf, &page);
	/* every other one first, so that there are holes */
	for (int first = 1; first >= 0; first--) {
		for (int i = first; i < n; i += 2) {
			rte_free(p[i]);
			check(bdf);
		}
	}
	CHECK(dpdk_memory() == before);
	CHECK(pinned_pages() == pinned);
	printf("grown from %" PRIu64 " to %" PRIu64 " MiB and shrunk again, IOMMU pages of %" PRIu64
	       " KiB\n",
	       before / MIB, grown / MIB, page >> 10);
}

static void
reserve(const char *bdf)
{
	uint64_t before = dpdk_memory(), page;
	void *p = rte_malloc(NULL, 20 * MIB, 0);

	CHECK(p != NULL);
	use(p, 20 * MIB);
	rte_free(p);
	check(bdf);
	CHECK(dpdk_memory() == before);
	reachable(bdf, &page);
	printf("%" PRIu64 " MiB reserved, IOMMU pages of %" PRIu64 " KiB\n", before / MIB,
	       page >> 10);
}

/* ---- churn */

/* Many, of which each takes hugepages and gives them back; looked at now and then. */
static void
churn(const char *bdf, unsigned int n)
{
	enum { MOST = 4, LOOK_EVERY = 99 };
	const uint64_t before = dpdk_memory();
	const int64_t pinned = pinned_pages();
	unsigned int looks = 0, grown = 0;

	for (unsigned int i = 0; i < n; i++) {
		const size_t size = (1 + i % MOST) * 2 * MIB + 1;
		char *p = rte_malloc(NULL, size, 0);

		CHECK(p != NULL);
		p[0] = p[size - 1] = 1;
		if (i % LOOK_EVERY == 0) {
			check(bdf);
			looks++;
			grown += dpdk_memory() > before;
		}
		rte_free(p);
	}
	check(bdf);
	CHECK(grown == looks);
	CHECK(dpdk_memory() == before);
	CHECK(pinned_pages() == pinned);
	printf("%u allocations and frees, %" PRIu64 " MiB as before\n", n, before / MIB);
}

/* ---- refuse */

static int
allocate_all(const char *bdf, void **p, int max, size_t size)
{
	int n = 0;

	while (n < max && (p[n] = rte_malloc(NULL, size, 0)) != NULL) {
		use(p[n], size);
		n++;
	}
	check(bdf);
	return n;
}

static void
refuse(const char *bdf, size_t size)
{
	enum { MAX = 200 };
	void *p[MAX];
	uint64_t before = dpdk_memory();
	int n, again;

	n = allocate_all(bdf, p, MAX, size);
	CHECK(n > 0 && n < MAX);
	for (int i = 0; i < n; i++)
		rte_free(p[i]);
	check(bdf);
	CHECK(dpdk_memory() == before);
	again = allocate_all(bdf, p, MAX, size);
	CHECK(again == n);
	printf("refused after %zu MiB more than %" PRIu64 " MiB\n", (size_t)n * size / MIB,
	       before / MIB);
	for (int i = 0; i < n; i++)
		rte_free(p[i]);
}

/* ---- inject */

static void
inject(const char *bdf)
{
	const int fd = fail_nth_open();
	const uint64_t before = dpdk_memory();
	const int64_t pinned = pinned_pages();
	int refused = 0, granted = 0, nth = 1, left;

	for (;; nth++) {
		void *p;

		CHECK(nth < 5000);
		fail_nth_arm(fd, nth);
		p = rte_malloc(NULL, 5 * MIB, 0);
		left = fail_nth_disarm(fd);
		check(bdf);
		if (p != NULL)
			use(p, 5 * MIB);
		if (left > 0) {
			CHECK(p != NULL);
			rte_free(p);
			break;
		}
		if (p == NULL)
			refused++;
		else
			granted++;
		rte_free(p);
		check(bdf);
		CHECK(dpdk_memory() == before);
		CHECK(pinned_pages() == pinned);
	}
	CHECK(refused > 0);
	printf("of %d failures %d were refusals, %d were survived\n", nth - 1, refused, granted);
}

/* ---- heap */

static void
heap(const char *bdf, const char *where)
{
	enum { LENGTH = 4 << 20, N = LENGTH / PAGE };
	rte_iova_t *iovas = calloc(N, sizeof(*iovas));
	char *area = anonymous(LENGTH);
	const uint64_t before = reachable(bdf, NULL);
	const bool bad = where[0] == '-';
	uint64_t iova = strtoull(where + bad, NULL, 0);
	void *p;
	int ret;

	CHECK(iovas != NULL);
	for (unsigned int i = 0; i < N; i++)
		iovas[i] = (iova != 0 ? iova : (uintptr_t)area) + (uint64_t)i * PAGE;
	CHECK(rte_malloc_heap_create(HEAP) == 0);
	ret = rte_malloc_heap_memory_add(HEAP, area, LENGTH, iovas, N, PAGE);
	if (bad) {
		CHECK(ret == -1 && rte_errno == ENOMEM);
		check(bdf);
		CHECK(reachable(bdf, NULL) == before);
		CHECK(rte_malloc_heap_destroy(HEAP) == 0);
		printf("external memory refused\n");
		return;
	}
	CHECK(ret == 0);
	check(bdf);
	CHECK(reachable(bdf, NULL) == before + LENGTH);
	p = rte_malloc_socket(NULL, MIB, 0, rte_malloc_heap_get_socket(HEAP));
	CHECK((char *)p > area && (char *)p < area + LENGTH);
	rte_free(p);
	CHECK(rte_malloc_heap_memory_remove(HEAP, area, LENGTH) == 0);
	CHECK(reachable(bdf, NULL) == before);
	CHECK(rte_malloc_heap_destroy(HEAP) == 0);
	printf("external memory added and removed\n");
	free(iovas);
}

/* ---- extmem */

/* What port 0 sends must come in at port 1, byte for byte. */
static void
pass_packets(struct rte_mempool *pool, char *area, size_t length, int wanted)
{
	struct rte_mbuf *mbufs[BURST];
	int received = 0;

	for (int ms = 0; received < wanted; ms++) {
		uint16_t n;

		CHECK(ms < 30000);
		if (rte_pktmbuf_alloc_bulk(pool, mbufs, 8) == 0) {
			for (int i = 0; i < 8; i++)
				fill_frame(mbufs[i]);
			n = rte_eth_tx_burst(0, 0, mbufs, 8);
			rte_pktmbuf_free_bulk(&mbufs[n], 8u - n);
		}
		usleep(1000);
		n = rte_eth_rx_burst(1, 0, mbufs, BURST);
		for (uint16_t i = 0; i < n; i++) {
			const char *data = rte_pktmbuf_mtod(mbufs[i], const char *);

			CHECK(data >= area && data < area + length);
			received += data[0] == (char)0xff && data[63] == (char)0x88;
		}
		rte_pktmbuf_free_bulk(mbufs, n);
	}
	printf("%d packets in external memory\n", received);
}

static void
extmem(void)
{
	enum { LENGTH = 8 << 20, N = 2048, ELT = 2176 };
	char *area = anonymous(LENGTH);
	struct rte_pktmbuf_extmem ext = {
		.buf_ptr = area,
		.buf_iova = (uintptr_t)area,
		.buf_len = LENGTH,
		.elt_size = ELT,
	};
	struct rte_mempool *pool;
	struct rte_eth_dev_info info;

	CHECK(rte_eth_dev_count_avail() == 2);
	CHECK(rte_eth_dev_info_get(0, &info) == 0);
	CHECK(rte_extmem_register(area, LENGTH, NULL, 0, PAGE) == 0);
	CHECK(rte_dev_dma_map(info.device, area, (uintptr_t)area, LENGTH) == 0);
	/* for the other port it is the same address space: as under stock EAL no error */
	CHECK(rte_eth_dev_info_get(1, &info) == 0);
	CHECK(rte_dev_dma_map(info.device, area, (uintptr_t)area, LENGTH) == 0);
	pool = rte_pktmbuf_pool_create_extbuf("ext", N - 1, 32, 0, ELT, SOCKET_ID_ANY, &ext, 1);
	CHECK(pool != NULL);
	start_port(0, pool);
	start_port(1, pool);
	pass_packets(pool, area, LENGTH, 1000);
	rte_eth_dev_stop(0);
	rte_eth_dev_stop(1);
	/* a part of it cannot go; all of it goes as often as it came */
	CHECK(rte_dev_dma_unmap(info.device, area, (uintptr_t)area, PAGE) == -1);
	CHECK(rte_dev_dma_unmap(info.device, area, (uintptr_t)area, LENGTH) == 0);
	CHECK(rte_dev_dma_unmap(info.device, area, (uintptr_t)area, LENGTH) == 0);
	CHECK(rte_dev_dma_unmap(info.device, area, (uintptr_t)area, LENGTH) == -1);
	CHECK(rte_extmem_unregister(area, LENGTH) == 0);
}

/* ---- wait, ask */

static bool lingers;

static void
wait_for_eof(const char *what)
{
	printf("%s\n", what);
	fflush(stdout);
	while (getchar() != EOF)
		continue;
}

static void
wait_for_others(const char *bdf)
{
	wait_for_eof("waiting");
	check(bdf);
}

static void
ask(size_t size)
{
	void *p = rte_malloc(NULL, 8 * MIB, 0);

	CHECK(p != NULL);
	use(p, 8 * MIB);
	rte_free(p);
	CHECK(rte_malloc(NULL, size, 0) == NULL);
	printf("8 MiB granted, %zu MiB refused\n", size / MIB);
}

/* Do one thing; returns how many words it took. */
static int
run(const char *bdf, const char *what, const char *value)
{
	if (strcmp(what, "reserve") == 0)
		return reserve(bdf), 1;
	if (strcmp(what, "inject") == 0)
		return inject(bdf), 1;
	if (strcmp(what, "extmem") == 0)
		return extmem(), 1;
	if (strcmp(what, "wait") == 0)
		return wait_for_others(bdf), 1;
	if (strcmp(what, "linger") == 0)
		return lingers = true, 1;
	CHECK(value != NULL);
	if (strcmp(what, "grow") == 0)
		return grow(bdf, value), 2;
	if (strcmp(what, "churn") == 0)
		return churn(bdf, (unsigned int)atoi(value)), 2;
	if (strcmp(what, "refuse") == 0)
		return refuse(bdf, (size_t)atoi(value) * MIB), 2;
	if (strcmp(what, "heap") == 0)
		return heap(bdf, value), 2;
	if (strcmp(what, "ask") == 0)
		return ask((size_t)atoi(value) * MIB), 2;
	CHECK(!"one of the above");
	return 0;
}

int
main(int argc, char **argv)
{
	int i = rte_eal_init(argc, argv);
	const char *bdf;
	int ret;

	CHECK(i >= 0 && i + 1 < argc);
	bdf = argv[++i];
	while (++i < argc)
		i += run(bdf, argv[i], argv[i + 1]) - 1;
	ret = rte_eal_cleanup();
	if (lingers)
		wait_for_eof("cleaned up");
	return ret;
}

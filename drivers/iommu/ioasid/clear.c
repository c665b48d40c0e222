/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdint.h>
#include <stdlib.h>

#include <rte_common.h>

#include <ioasid.h>

#include "clear.h"
#include "side_by_side.h"
#include "space.h"

/* Small maps are removed by one call up to this; the kernel takes some 4 ms for it. */
#define PIECE_SIZE (UINT64_C(64) << 20)
/* Of less the threads would be no gain. */
#define WORTH_IT (UINT64_C(256) << 20)
#define PAGE     64

struct piece {
	uint32_t ioasid;
	uint64_t iova;
	uint64_t length;
};

struct pieces {
	struct piece *list;
	unsigned int count;
	unsigned int room;
};

static void
add(struct pieces *pieces, const struct piece *piece)
{
	const unsigned int room = pieces->room > 0 ? 2 * pieces->room : 64;
	struct piece *bigger = pieces->list;

	if (piece->length == 0)
		return;
	if (pieces->count == pieces->room) {
		bigger = reallocarray(pieces->list, room, sizeof(*bigger));
		if (bigger == NULL)
			return;
		pieces->list = bigger;
		pieces->room = room;
	}
	bigger[pieces->count++] = *piece;
}

static bool
grow(struct piece *piece, const struct ioasid_map *map)
{
	if (piece->length == 0 || piece->iova + piece->length != map->iova ||
	    piece->length + map->length > PIECE_SIZE)
		return false;
	piece->length += map->length;
	return true;
}

static void
cut_up(uint32_t ioasid, struct pieces *pieces)
{
	struct piece piece = { .ioasid = ioasid };
	struct ioasid_map maps[PAGE];
	unsigned int n;
	uint64_t from = 0;

	do {
		n = ioasid_list_maps(space_ctx(), ioasid, from, maps, PAGE);
		for (unsigned int i = 0; i < n; i++) {
			from = maps[i].iova + maps[i].length;
			if (grow(&piece, &maps[i]))
				continue;
			add(pieces, &piece);
			piece.iova = maps[i].iova;
			piece.length = maps[i].length;
		}
	} while (n == PAGE);
	add(pieces, &piece);
}

static void
cut_up_all(struct pieces *pieces)
{
	struct ioasid_info list[PAGE];
	unsigned int n;
	uint32_t from = 0;

	do {
		n = ioasid_list(space_ctx(), from, list, PAGE, NULL);
		for (unsigned int i = 0; i < n; i++) {
			from = list[i].ioasid + 1;
			if (list[i].ndevices > 0 && list[i].mapped >= WORTH_IT)
				cut_up(list[i].ioasid, pieces);
		}
	} while (n == PAGE);
}

/* A failure leaves it to the end of the IOASID. */
static void
unmap(unsigned int i, void *arg)
{
	const struct piece *piece = &((const struct pieces *)arg)->list[i];

	(void)ioasid_unmap(space_ctx(), piece->ioasid, piece->iova, piece->length);
}

void
clear_maps(void)
{
	const unsigned int processors = side_by_side_processors();
	struct pieces pieces = { 0 };

	if (space_ctx() == NULL || processors < 2)
		return;
	cut_up_all(&pieces);
	side_by_side(unmap, pieces.count, &pieces, processors);
	free(pieces.list);
}

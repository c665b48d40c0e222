/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A 32-bit program's ioctl() on descriptor 3, without a C library (cc -m32 -nostdlib):
 * VFIO_GROUP_SET_CONTAINER with the container that is descriptor 4. Exit status: its errno.
 */

static int
call(int number, int a, int b, const void *c)
{
	int result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c)
			 : "memory");
	return result;
}

void
_start(void)
{
	static const int container = 4;
	const int result = call(54, 3, 0x3b68, &container);

	call(1, -result, 0, 0);
	for (;;)
		;
}

/* SPDX-License-Identifier: BSD-3-Clause */

/* VF tokens: NIC0 is a physical function, NIC1 a virtual function of it. */

#include "test.h"

static const uint8_t ours[IOASID_TOKEN_SIZE] = "our token 01234";
static const uint8_t other[IOASID_TOKEN_SIZE] = "another secret!";
static const uint8_t none[IOASID_TOKEN_SIZE];

static struct ioasid_device *dev;

static int
setup(void **state)
{
	int ret = setup_ctx(state);

	if (ret < 0)
		return ret;
	fake_machine.asks_token = true;
	fake_set_physical(NIC0);
	fake_set_virtual(NIC1, NIC0);
	return 0;
}

static int
join_token(const char *bdf, const uint8_t *token)
{
	const struct ioasid_join_how how = { .fd = -1, .vf_token = token };

	return ioasid_join_with(ctx, fake_sysfs(), bdf, &how, &dev);
}

static void
check_token(const uint8_t *token)
{
	CHECK(memcmp(fake_token(NIC0), token, IOASID_TOKEN_SIZE) == 0);
}

static void
physical_function_sets_it(void **state)
{
	(void)state;
	CHECK_OK(join_token(NIC0, ours));
	check_token(ours);
	CHECK_EQ(fake_count(KABI_BIND), 1);
	CHECK_EQ(fake_count(KABI_FEATURE), 0);
	CHECK(!ioasid_device_token_unchecked(dev));
	CHECK(ioasid_device_id(dev) != 0);
}

static void
virtual_function_gives_it_when_asked(void **state)
{
	(void)state;
	CHECK_OK(join_token(NIC0, ours));
	CHECK_OK(join_token(NIC1, ours));
	CHECK_EQ(fake_count(KABI_BIND), 3);
	CHECK(fake_is_bound(NIC1));
}

static void
virtual_function_without_one(void **state)
{
	(void)state;
	CHECK_OK(join_token(NIC0, ours));
	CHECK_ERR(ioasid_join(ctx, fake_sysfs(), NIC1, &dev), EKEYREJECTED);
	CHECK_SAYS(NIC1);
	CHECK_SAYS("virtual function");
	CHECK_SAYS("give the VF token that they share");
	CHECK_EQ(fake_open_files(), 2);
}

static void
virtual_function_with_another(void **state)
{
	(void)state;
	CHECK_OK(join_token(NIC0, ours));
	CHECK_ERR(join_token(NIC1, other), EKEYREJECTED);
	CHECK_SAYS(NIC1);
	CHECK_SAYS("is not the one");
	CHECK_SAYS("give both programs the same");
	CHECK_EQ(fake_open_files(), 2);
}

/* Once there are users of virtual functions, whoever comes for the physical one is asked. */
static void
physical_function_comes_back(void **state)
{
	(void)state;
	CHECK_OK(join_token(NIC0, ours));
	ioasid_leave(dev);
	CHECK_OK(join_token(NIC1, ours));
	CHECK_ERR(ioasid_join(ctx, fake_sysfs(), NIC0, &dev), EKEYREJECTED);
	CHECK_SAYS("give the VF token that they share");
	CHECK_ERR(join_token(NIC0, other), EKEYREJECTED);
	CHECK_SAYS("is not the one");
	check_token(ours);
	CHECK_OK(join_token(NIC0, ours));
}

/* The kernel refuses a token that is not needed: others must not get to see it. */
static void
others_are_not_given_it(void **state)
{
	(void)state;
	CHECK_OK(join_token(GROUP_NIC, ours));
	CHECK_EQ(fake_count(KABI_BIND), 1);
	/* the physical function is on a kernel driver that hands virtual ones out */
	fake_set_driver(NIC0, "igb");
	CHECK_OK(join_token(NIC1, ours));
	CHECK_EQ(fake_count(KABI_BIND), 2);
}

/* Before Linux 6.17 nobody is asked, but /dev/vfio/GROUP is: the token is set for that. */
static void
old_kernel_sets_it_and_does_not_ask(void **state)
{
	(void)state;
	fake_machine.asks_token = false;
	CHECK_OK(join_token(NIC0, ours));
	check_token(ours);
	CHECK(ioasid_device_token_unchecked(dev));
	CHECK_OK(join_token(NIC1, other));
	CHECK(!ioasid_device_token_unchecked(dev));
}

/* EINVAL has other reasons, too: they are told as ever. */
static void
physical_function_is_refused_for_another_reason(void **state)
{
	(void)state;
	fake_machine.not_coherent = true;
	CHECK_ERR(join_token(NIC0, ours), EINVAL);
	CHECK_SAYS("cache-coherent");
	CHECK_EQ(fake_open_files(), 1);
	CHECK_EQ(fake_count(KABI_FEATURE), 0);
	fake_machine.not_coherent = false;
	fake_machine.unsafe_msi = true;
	CHECK_ERR(join_token(NIC0, ours), EPERM);
	CHECK_SAYS("interrupts are not isolated");
}

static void
without_a_token_all_is_as_before(void **state)
{
	(void)state;
	CHECK_OK(ioasid_join(ctx, fake_sysfs(), NIC0, &dev));
	check_token(none);
	CHECK_EQ(fake_count(KABI_BIND), 1);
	CHECK(!ioasid_device_token_unchecked(dev));
}

#define TEST_TOKEN(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_TOKEN(physical_function_sets_it),
		TEST_TOKEN(virtual_function_gives_it_when_asked),
		TEST_TOKEN(virtual_function_without_one),
		TEST_TOKEN(virtual_function_with_another),
		TEST_TOKEN(physical_function_comes_back),
		TEST_TOKEN(others_are_not_given_it),
		TEST_TOKEN(old_kernel_sets_it_and_does_not_ask),
		TEST_TOKEN(physical_function_is_refused_for_another_reason),
		TEST_TOKEN(without_a_token_all_is_as_before),
	};

	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}

#include "bridge/suspect_rows.h"

#include "cases.h"

static void a_row_is_held_back_at_the_third_strike(void **state)
{
    struct suspect_rows suspects = {.count = 0};

    (void)state;
    assert_false(suspect_rows_held(&suspects, 7, 1000));
    assert_int_equal(suspect_rows_strike(&suspects, 7, 1000), SUSPECT_NOTED);
    assert_int_equal(suspect_rows_strike(&suspects, 8, 1000), SUSPECT_NOTED);
    assert_int_equal(suspect_rows_strike(&suspects, 7, 1001), SUSPECT_NOTED);
    assert_false(suspect_rows_held(&suspects, 7, 1001));
    assert_int_equal(suspect_rows_strike(&suspects, 7, 1002), SUSPECT_HELD_FIRST);
    assert_true(suspect_rows_held(&suspects, 7, 1003));
    assert_false(suspect_rows_held(&suspects, 8, 1003));
    assert_false(suspect_rows_held(&suspects, 7, 1002 + SUSPECT_HOLD_MS));
    assert_int_equal(suspect_rows_strike(&suspects, 7, 1002 + SUSPECT_HOLD_MS), SUSPECT_HELD_AGAIN);
    assert_true(suspect_rows_held(&suspects, 7, 1003 + SUSPECT_HOLD_MS));
}

static void a_published_row_is_forgotten(void **state)
{
    struct suspect_rows suspects = {.count = 0};

    (void)state;
    for (int strike = 0; strike < SUSPECT_STRIKES; strike++) {
        (void)suspect_rows_strike(&suspects, 7, 1);
        (void)suspect_rows_strike(&suspects, 8, 1);
    }
    suspect_rows_forget(&suspects, 9);
    assert_int_equal(suspect_rows_count(&suspects), 2);
    suspect_rows_forget(&suspects, 7);
    assert_int_equal(suspect_rows_count(&suspects), 1);
    assert_false(suspect_rows_held(&suspects, 7, 2));
    assert_true(suspect_rows_held(&suspects, 8, 2));
}

static void of_too_many_the_one_due_first_is_forgotten(void **state)
{
    struct suspect_rows suspects = {.count = 0};

    (void)state;
    for (int64_t id = 1; id <= SUSPECT_ROWS; id++) {
        for (int strike = 0; strike < SUSPECT_STRIKES; strike++)
            (void)suspect_rows_strike(&suspects, id, 1000 - id);
    }
    (void)suspect_rows_strike(&suspects, 1000, 1000);
    assert_int_equal(suspect_rows_count(&suspects), SUSPECT_ROWS);
    assert_false(suspect_rows_held(&suspects, SUSPECT_ROWS, 1000));
    assert_true(suspect_rows_held(&suspects, 1, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_held_back_at_the_third_strike),
        cmocka_unit_test(a_published_row_is_forgotten),
        cmocka_unit_test(of_too_many_the_one_due_first_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

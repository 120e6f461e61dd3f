#include "histogram.h"

#include "tests/unit/cases.h"

struct row {
    const char *name;
    int64_t values[8]; /* up to the first -1 */
    double share;
    int64_t least, most; /* what the quantile may be */
};

static const struct row rows[] = {
    {"nothing has no latency", {-1}, 0.5, 0, 0},
    {"one value is every quantile", {77, -1}, 0.01, 77, 77},
    {"small values are exact", {1, 2, 3, 4, -1}, 0.5, 2, 2},
    {"the largest is exact", {100, 1000, 123457, -1}, 1.0, 123457, 123457},
    {"a large one is at most 1.6 % above itself", {100001, 900000, -1}, 0.5, 100001, 101600},
    {"the border of two widths falls into neither twice", {127, 128, 129, 256, -1}, 0.5, 128, 129},
    {"what lies past the last bucket is not lost", {INT64_C(1) << 50, -1}, 0.5, 1, INT64_C(1) << 50},
    {"one slow answer does not move the quantile below it", {5, 5, 5, 5, 5, 5, 9000, -1}, 0.8, 5, 5},
};

static void quantiles_are_within_their_bucket(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct histogram histogram = {0};
        for (const int64_t *value = rows[i].values; *value >= 0; value++)
            histogram_add(&histogram, *value);
        int64_t found = histogram_quantile(&histogram, rows[i].share);
        CHECK_CASE(rows[i].name, found >= rows[i].least && found <= rows[i].most);
    }
}

static void no_value_is_told_smaller_than_it_is(void **state)
{
    (void)state;
    for (int64_t value = 0; value < INT64_C(1) << 33; value += 1 + value / 7) {
        struct histogram histogram = {0};
        histogram_add(&histogram, value);
        histogram_add(&histogram, INT64_C(1) << 34);
        int64_t found = histogram_quantile(&histogram, 0.5);
        assert_true(found >= value && found <= value + value / HISTOGRAM_STEPS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_their_bucket),
        cmocka_unit_test(no_value_is_told_smaller_than_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

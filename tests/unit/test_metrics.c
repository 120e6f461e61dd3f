#include "common/metrics.h"

#include "cases.h"

static void prints_the_text_format(void **state)
{
    (void)state;
    struct metric metrics[] = {
        {"requests_total", "code=\"ok\"", "Requests answered", METRIC_COUNTER, 0},
        {"requests_total", "code=\"bad\"", "not printed", METRIC_COUNTER, 0},
        {"depth", NULL, "A back\\slash\nand a line", METRIC_GAUGE, 0},
    };
    struct buf out;
    buf_init(&out, 10000);
    metric_add(&metrics[0], 2);
    metric_add(&metrics[0], 3);
    metric_set(&metrics[2], -7);
    assert_int_equal(metric_get(&metrics[0]), 5);
    metrics_print(metrics, COUNT(metrics), &out);
    assert_string_equal(out.data, "# HELP requests_total Requests answered\n"
                                  "# TYPE requests_total counter\n"
                                  "requests_total{code=\"ok\"} 5\n"
                                  "requests_total{code=\"bad\"} 0\n"
                                  "# HELP depth A back\\\\slash\\nand a line\n"
                                  "# TYPE depth gauge\n"
                                  "depth -7\n");
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prints_the_text_format)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

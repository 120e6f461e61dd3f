/* What is kept of a message that was read. */
#include "cases.h"
#include "workers/queue/delivery.h"

#include <string.h>

static void a_body_that_was_read_is_kept_only_for_the_rejected_queue(void **state)
{
    static const struct {
        const char *name, *body;
        bool event, kept;
        const char *reason;
        bool remark;
    } cases[] = {
        {"an event", "{\"status\":\"success\"}", true, false, NULL, false},
        {"with a value that is ignored", "{\"status\":\"success\",\"tts_fee\":-1}", true, false, NULL, true},
        {"no event", "{}", false, true, "unrecognized_shape", false},
        {"no event that tells of an opt-out", "{\"status\":\"perhaps\",\"dnc\":true,\"phone\":\"+13125550146\"}", true,
         true, "unusable_status", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static const struct parse_settings settings;
        struct held held = {0};
        const size_t len = strlen(cases[i].body);
        struct delivery *delivery = delivery_new(len, &held);
        char remark[PARSE_DETAIL];
        assert_non_null(delivery);
        memcpy(delivery->body, cases[i].body, len);
        delivery->envelope.received_at_ms = 1780315200000;
        assert_false(delivery_was_read(delivery));
        CHECK_CASE(cases[i].name, delivery_read(delivery, &settings, remark));
        CHECK_CASE(cases[i].name, delivery_was_read(delivery));
        CHECK_CASE(cases[i].name, (delivery->event != NULL) == cases[i].event);
        CHECK_CASE(cases[i].name, (delivery->body != NULL) == cases[i].kept);
        CHECK_CASE(cases[i].name, !delivery->reason == !cases[i].reason);
        CHECK_CASE(cases[i].name, !cases[i].reason || strcmp(delivery->reason, cases[i].reason) == 0);
        CHECK_CASE(cases[i].name, (delivery->detail[0] != '\0') == (cases[i].reason != NULL));
        CHECK_CASE(cases[i].name, (remark[0] != '\0') == cases[i].remark);
        CHECK_CASE(cases[i].name, held.bytes == sizeof *delivery + (cases[i].kept ? len : 0) +
                                                    (cases[i].event ? sizeof *delivery->event : 0));
        delivery_free(delivery);
        assert_int_equal(held.bytes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_was_read_is_kept_only_for_the_rejected_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

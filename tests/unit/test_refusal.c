#include "bridge/refusal.h"

#include "cases.h"

enum what { NACK, ACK, CHANNEL, CONNECTION, LOOK };

struct step {
    const char *name;
    enum what what;
    int64_t at_ms;
    /* Afterwards. */
    bool lasts, asks;
    int64_t told_ms;
};

static void play(const struct step *steps, size_t count)
{
    struct refusal refusal = {0};

    for (size_t i = 0; i < count; i++) {
        if (steps[i].what == NACK)
            refusal_nacked(&refusal, steps[i].at_ms);
        else if (steps[i].what == ACK)
            refusal_acked(&refusal);
        else if (steps[i].what == CHANNEL)
            refusal_new_channel(&refusal);
        else if (steps[i].what == CONNECTION)
            refusal_new_connection(&refusal);
        CHECK_CASE(steps[i].name, refusal.lasts == steps[i].lasts);
        CHECK_CASE(steps[i].name, refusal_asks_afresh(&refusal, steps[i].at_ms) == steps[i].asks);
        CHECK_CASE(steps[i].name, refusal_told_ms(&refusal) == steps[i].told_ms);
    }
}

static void nacks_for_a_second_are_a_refusal(void **state)
{
    static const struct step steps[] = {
        {"one nack says little", NACK, 5000, false, false, 0},
        {"nor does the silence behind it", LOOK, 90000, false, false, 0},
        {"an ack clears it", ACK, 90000, false, false, 0},
        {"a nack", NACK, 100000, false, false, 0},
        {"another soon", NACK, 100999, false, false, 0},
        {"one a second after the first", NACK, 101000, true, false, 101000},
        {"and one more", NACK, 101500, true, false, 101500},
        {"an ack ends it", ACK, 101600, false, false, 0},
        {"the next nack is a first one", NACK, 102600, false, false, 0},
    };

    (void)state;
    play(steps, COUNT(steps));
}

static void a_refusal_that_lasts_is_asked_about_by_another_channel(void **state)
{
    static const struct step steps[] = {
        {"a nack", NACK, 1000, false, false, 0},
        {"a second of nacks", NACK, 2000, true, false, 2000},
        {"20 s of them", LOOK, 21000, true, false, 2000},
        {"more", LOOK, 21001, true, true, 2000},
        {"it is not asked again", CHANNEL, 21002, true, false, 2000},
        {"as long as nobody sends", LOOK, 99000, true, false, 2000},
        {"but after 20 s of nacks", NACK, 100000, true, false, 100000},
        {"in its turn", NACK, 120001, true, true, 120001},
        {"another connection has refused nothing", CONNECTION, 120002, true, false, 0},
        {"its first nack is enough", NACK, 120003, true, false, 120003},
        {"an ack ends it", ACK, 120004, false, false, 0},
    };

    (void)state;
    play(steps, COUNT(steps));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nacks_for_a_second_are_a_refusal),
        cmocka_unit_test(a_refusal_that_lasts_is_asked_about_by_another_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

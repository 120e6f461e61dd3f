#include "bridge/broker/nack_tracker.h"

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
    struct nack_tracker refusal = {0};

    for (size_t i = 0; i < count; i++) {
        if (steps[i].what == NACK)
            nack_tracker_nacked(&refusal, steps[i].at_ms);
        else if (steps[i].what == ACK)
            nack_tracker_acked(&refusal);
        else if (steps[i].what == CHANNEL)
            nack_tracker_new_channel(&refusal);
        else if (steps[i].what == CONNECTION)
            nack_tracker_new_connection(&refusal);
        CHECK_CASE(steps[i].name, refusal.lasts == steps[i].lasts);
        CHECK_CASE(steps[i].name, nack_tracker_asks_afresh(&refusal, steps[i].at_ms) == steps[i].asks);
        CHECK_CASE(steps[i].name, nack_tracker_told_ms(&refusal) == steps[i].told_ms);
    }
}

static void nacks_that_go_on_are_a_refusal(void **state)
{
    static const struct step steps[] = {
        {"one nack says little", NACK, 5000, false, false, 0},
        {"nor does the silence behind it", LOOK, 90000, false, false, 0},
        {"an ack clears it", ACK, 90000, false, false, 0},
        {"a nack", NACK, 100000, false, false, 0},
        {"another soon", NACK, 99999 + NACKS_LASTS_MS, false, false, 0},
        {"one long enough after the first", NACK, 100000 + NACKS_LASTS_MS, true, false, 100000 + NACKS_LASTS_MS},
        {"and one more", NACK, 100001 + NACKS_LASTS_MS, true, false, 100001 + NACKS_LASTS_MS},
        {"an ack ends it", ACK, 100002 + NACKS_LASTS_MS, false, false, 0},
        {"the next nack is a first one", NACK, 100002 + 2 * NACKS_LASTS_MS, false, false, 0},
    };

    (void)state;
    play(steps, COUNT(steps));
}

static void a_refusal_that_lasts_is_asked_about_by_another_channel(void **state)
{
    enum { FIRST = 1000, LASTS = FIRST + NACKS_LASTS_MS, DUE = FIRST + NACKS_ASKS_AFRESH_MS };
    enum { AGAIN = 100000, DUE_AGAIN = AGAIN + NACKS_ASKS_AFRESH_MS };
    static const struct step steps[] = {
        {"a nack", NACK, FIRST, false, false, 0},
        {"nacks that go on", NACK, LASTS, true, false, LASTS},
        {"for as long as they are believed", LOOK, DUE, true, false, LASTS},
        {"longer", LOOK, DUE + 1, true, true, LASTS},
        {"it is not asked again", CHANNEL, DUE + 2, true, false, LASTS},
        {"as long as nobody sends", LOOK, AGAIN - 1, true, false, LASTS},
        {"nor at the next nack", NACK, AGAIN, true, false, AGAIN},
        {"but when those go on", NACK, DUE_AGAIN + 1, true, true, DUE_AGAIN + 1},
        {"another connection has refused nothing", CONNECTION, DUE_AGAIN + 2, true, false, 0},
        {"its first nack is enough", NACK, DUE_AGAIN + 3, true, false, DUE_AGAIN + 3},
        {"an ack ends it", ACK, DUE_AGAIN + 4, false, false, 0},
    };

    (void)state;
    play(steps, COUNT(steps));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nacks_that_go_on_are_a_refusal),
        cmocka_unit_test(a_refusal_that_lasts_is_asked_about_by_another_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

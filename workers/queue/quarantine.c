#include "quarantine.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct delivery *next_suspect(struct delivery *delivery)
{
    while (delivery && !delivery->suspect)
        delivery = delivery->next;
    return delivery;
}

/* The child: a byte for each that it got through. It goes with the worker, for it has the worker's sockets; its own alarm ends
   it where it hangs. */
static _Noreturn void read_all(const struct quarantine *quarantine, struct delivery *delivery, int progress)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGALRM, SIG_DFL);
    while (delivery) {
        (void)alarm(quarantine->limit_s);
        quarantine->read(quarantine->context, delivery);
        if (write(progress, "", 1) != 1)
            break;
        delivery = next_suspect(delivery->next);
    }
    _exit(EXIT_SUCCESS);
}

/* Until the child has ended, and so closed its end. Returns how many it got through. */
static size_t follow(int progress)
{
    char bytes[256];
    size_t count = 0;
    for (ssize_t got; (got = read(progress, bytes, sizeof bytes)) > 0;)
        count += (size_t)got;
    return count;
}

static void note_death(struct delivery *delivery, int status)
{
    const char *how = WIFSIGNALED(status) ? "signal" : "exit status";
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    if (++delivery->deaths < QUARANTINE_DEATHS)
        return;
    delivery->suspect = false;
    delivery->reason = parse_verdict_slug(PARSE_CRASHED_WORKER);
    snprintf(delivery->detail, sizeof delivery->detail,
             "%d processes that only read this message ended before they had read it, the last with %s %d%s; it was "
             "delivered %" PRId64 " times",
             QUARANTINE_DEATHS, how, number, number == SIGALRM ? " (it took too long)" : "",
             delivery->delivery_count + 1);
}

static bool no_child(struct delivery *delivery, struct error *error)
{
    error_set(error, ERROR_INTERNAL, "no process to read it first (%s): read without one", strerror(errno));
    for (; delivery; delivery = next_suspect(delivery))
        delivery->suspect = false;
    return false;
}

bool quarantine_read(const struct quarantine *quarantine, struct delivery *first, struct error *error)
{
    struct delivery *delivery = next_suspect(first);
    int progress[2];
    int status = 0;
    if (!delivery)
        return true;
    if (pipe(progress) != 0)
        return no_child(delivery, error);
    pid_t child = fork();
    if (child == 0)
        read_all(quarantine, delivery, progress[1]);
    (void)close(progress[1]);
    if (child < 0) {
        (void)close(progress[0]);
        return no_child(delivery, error);
    }
    for (size_t passed = follow(progress[0]); delivery && passed > 0; passed--) {
        delivery->suspect = false;
        delivery = next_suspect(delivery);
    }
    (void)close(progress[0]);
    (void)waitpid(child, &status, 0);
    if (delivery)
        note_death(delivery, status);
    return true;
}

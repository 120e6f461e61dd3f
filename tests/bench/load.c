/* Load on a bridge: distinct signed events over keep-alive connections. Prints "sending", then one JSON object. Used by
   scripts/bench. The secret comes from WEBHOOK_SECRET. */
#include "common/clock.h"
#include "common/signature.h"
#include "campaign.h"
#include "client.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { REQUEST_MAX = 2048, EVENTS_MAX = 5000000, CONNECTIONS_MAX = 20000, PORT_MAX = 65535, SECONDS_MAX = 3600, SPARE_S = 120 };
static const unsigned long FIRST_MAX = 1UL << 48;

struct options {
    unsigned long port;
    unsigned long connections;
    unsigned long events;
    unsigned long seconds;
    unsigned long rate;
    unsigned long first;
    bool tls;
    bool hold;
};

static const char usage[] =
    "usage: load --port N [--connections N] [--events N] [--seconds N] [--rate N] [--first N]\n"
    "            [--tls] [--hold]\n"
    "  --port N         of the bridge, on 127.0.0.1\n"
    "  --connections N  keep-alive connections (256)\n"
    "  --events N       at most so many, each distinct (100000)\n"
    "  --seconds N      no event is begun later (60)\n"
    "  --rate N         events a second, evenly spaced, their latency counted from when they were due;\n"
    "                   0: each connection sends its next one when it is answered (0)\n"
    "  --first N        number of the first event: another one for each run makes other events (0)\n"
    "  --tls            speaks TLS, and trusts whoever answers\n"
    "  --hold           opens each connection with its first event, and keeps those that the bridge keeps until its\n"
    "                   standard input ends\n"
    "WEBHOOK_SECRET in the environment signs them.\n";

static bool number_into(const char *text, unsigned long least, unsigned long most, unsigned long *out)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < least || value > most)
        return false;
    *out = value;
    return true;
}

static bool read_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},
        {"connections", required_argument, NULL, 'c'},
        {"events", required_argument, NULL, 'e'},
        {"seconds", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"first", required_argument, NULL, 'f'},
        {"tls", no_argument, NULL, 't'},
        {"hold", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool good = true;
    int name = 0;

    *options = (struct options){.connections = 256, .events = 100000, .seconds = 60};
    while (good && (name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (name) {
        case 'p':
            good = number_into(optarg, 1, PORT_MAX, &options->port);
            break;
        case 'c':
            good = number_into(optarg, 1, CONNECTIONS_MAX, &options->connections);
            break;
        case 'e':
            good = number_into(optarg, 1, EVENTS_MAX, &options->events);
            break;
        case 's':
            good = number_into(optarg, 1, SECONDS_MAX, &options->seconds);
            break;
        case 'r':
            good = number_into(optarg, 0, EVENTS_MAX, &options->rate);
            break;
        case 'f':
            good = number_into(optarg, 0, FIRST_MAX, &options->first);
            break;
        case 't':
            options->tls = true;
            break;
        case 'h':
            options->hold = true;
            break;
        default:
            good = false;
        }
    }
    return good && optind == argc && options->port > 0;
}

/* Appends one whole request; `body` is scratch. */
static bool append_request(const struct hmac_key *key, uint64_t number, int64_t at_ms, struct buf *body,
                           struct buf *out)
{
    char mac[SHA256_HEX_SIZE];

    buf_reset(body);
    return campaign_event(number, at_ms, body) && signature_guide_sign(key, bytes_of(body->data, body->len), mac) &&
           buf_printf(out,
                      "POST /webhooks/dropcowboy HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: DropCowboy-Webhook/1.0\r\n"
                      "Content-Type: application/json\r\nX-DropCowboy-Signature: %s\r\nContent-Length: %zu\r\n\r\n",
                      mac, body->len) &&
           buf_append(out, body->data, body->len);
}

/* All requests, one behind the other in `all`; their places in `requests`. */
static bool make_requests(const struct options *options, const struct hmac_key *key, struct buf *all,
                          struct bytes *requests)
{
    struct buf body;
    bool good = true;
    int64_t at_ms = clock_wall_ms();

    buf_init(&body, REQUEST_MAX);
    for (size_t i = 0; i < options->events && good; i++) {
        size_t before = all->len;
        good = append_request(key, options->first + i, at_ms, &body, all);
        requests[i].len = all->len - before;
    }
    buf_clear(&body);
    for (size_t i = 0, at = 0; i < options->events && good; at += requests[i++].len)
        requests[i].data = (const uint8_t *)all->data + at;
    return good;
}

static int64_t cpu_us(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static void print_result(const struct client_result *result, int64_t used_us, size_t bytes_sent)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    const char *separator = "";

    printf("{\"sent\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"broken\":%" PRIu64 ",\"timed_out\":%" PRIu64
           ",\"took_us\":%" PRId64 ",\"cpu_us\":%" PRId64 ",\"request_bytes\":%zu,\"statuses\":{",
           result->sent, result->answered, result->broken, result->timed_out, result->took_us, used_us, bytes_sent);
    for (int i = 0; i < CLIENT_STATUSES; i++) {
        if (result->statuses[i] == 0)
            continue;
        printf("%s\"%d\":%" PRIu64, separator, i, result->statuses[i]);
        separator = ",";
    }
    printf("},\"latency_us\":{");
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        printf("\"%s\":%" PRId64 ",", quantiles[i].name, histogram_quantile(&result->latency, quantiles[i].share));
    printf("\"max\":%" PRId64 "}}\n", result->latency.largest_us);
}

static bool run(const struct options *options, const struct hmac_key *key, struct error *error)
{
    bool good = false;
    struct buf all;
    struct bytes *requests = calloc(options->events, sizeof *requests);
    struct client_result *result = calloc(1, sizeof *result);
    struct client *client = NULL;
    struct client_plan plan = {
        .address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)},
        .connections = options->connections,
        .for_us = (int64_t)options->seconds * 1000000,
        .rate = (double)options->rate,
        .tls = options->tls,
        .lazy = options->hold,
        .requests = requests,
        .request_count = options->events,
    };

    (void)signal(SIGPIPE, SIG_IGN);
    (void)alarm((unsigned)options->seconds + SPARE_S);
    plan.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    buf_init(&all, (size_t)options->events * REQUEST_MAX);
    if (!requests || !result || !make_requests(options, key, &all, requests)) {
        error_set(error, ERROR_NO_MEMORY, "no memory for %lu events: take fewer", options->events);
        goto out;
    }
    client = client_new(&plan, error);
    if (!client)
        goto out;
    printf("sending\n");
    (void)fflush(stdout);
    int64_t before_us = cpu_us();
    good = client_run(client, result, error);
    if (good)
        print_result(result, cpu_us() - before_us, requests[0].len);
    (void)fflush(stdout);
    while (good && options->hold && getchar() != EOF)
        ;
out:
    client_free(client);
    free(result);
    free(requests);
    buf_clear(&all);
    return good;
}

int main(int argc, char **argv)
{
    struct options options;
    struct error error = {0};
    const char *secret = getenv("WEBHOOK_SECRET");

    if (!read_options(argc, argv, &options) || !secret) {
        (void)fputs(usage, stderr);
        return error_exit_status(ERROR_USAGE);
    }
    struct hmac_key *key = hmac_key_new(bytes_of_text(secret));
    if (!key)
        error_set(&error, ERROR_INTERNAL, "libcrypto failed");
    bool good = key && run(&options, key, &error);
    hmac_key_free(key);
    if (!good)
        (void)fprintf(stderr, "load: %s\n", error.text);
    return good ? 0 : error_exit_status(error.code);
}

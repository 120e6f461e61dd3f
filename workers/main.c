/* dropworker: takes Drop Cowboy's events out of RabbitMQ and keeps the live counters in Redis. */
#include "common/admin_server.h"
#include "common/env_config.h"
#include "common/error.h"
#include "common/health_probe.h"
#include "common/log.h"
#include "common/service_notify.h"
#include "common/stop_signal.h"
#include "worker.h"
#include "worker_config.h"
#include "worker_status.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

enum { HELP_LIMIT = 64 * 1024, MMAP_FROM = 128 * 1024 };

static int print_help(void)
{
    struct buf text;
    buf_init(&text, HELP_LIMIT);
    buf_append_text(&text, "usage: dropworker [--config FILE] [--check-config] [--health] [--help] [--version]\n\n"
                           "Takes Drop Cowboy's events out of RabbitMQ, classifies them and updates the counters in\n"
                           "Redis. Any number of workers may run at once. Settings come from the environment, or from\n"
                           "the lines KEY=VALUE of FILE; the environment wins.\n"
                           "--health asks the worker that runs with the same settings for its /readyz: exit status\n"
                           "0 if it is ready, else 1.\n\n");
    worker_config_print_help(&text);
    bool whole = !text.overflow && text.data;
    if (whole)
        fputs(text.data, stdout);
    buf_clear(&text);
    return whole ? 0 : error_exit_status(ERROR_NO_MEMORY);
}

static int fail(const struct error *error)
{
    log_error("%s", error->text);
    return error_exit_status(error->code);
}

static int run(const struct worker_config *config)
{
    int exit_status = 0;
    struct error error = {0};
    struct admin_server *admin = NULL;
    struct worker_status status;
    worker_status_init(&status);
    struct worker *worker = NULL;
    if (stop_signal_listen(WORKER_GUARD_MS, &error))
        worker = worker_new(config, &status, &error);
    if (!worker) {
        exit_status = fail(&error);
        goto out;
    }
    struct admin_config admin_config = {.listen = config->admin_listen,
                                        .metrics = status.metrics,
                                        .metric_count = WORKER_METRICS,
                                        .ready = worker_status_ready,
                                        .refresh = worker_status_refresh,
                                        .context = &status};
    admin = admin_server_start(&admin_config, &error);
    if (!admin || !worker_start(worker, &error)) {
        exit_status = fail(&error);
        goto out;
    }
    service_notify_ready();
    worker_run(worker);
    log_info("stopped");
out:
    admin_server_stop(admin);
    worker_free(worker);
    worker_status_clear(&status);
    return exit_status;
}

static int load_and_run(const struct config_arguments *arguments)
{
    struct worker_config config;
    struct config_report report;
    config_report_init(&report);
    bool good = worker_config_load(arguments->config_file, environ, &config, &report);
    int exit_status = error_exit_status(config_verdict(&report, good, arguments));
    log_init("dropworker", (enum log_level)config.log_level, (enum log_format)config.log_format);
    /* Of what is only doubtful, the worker that is asked for its health has spoken. */
    config_report_log(&report, !arguments->health);
    if (exit_status == 0 && arguments->health) {
        exit_status = health_report(config.admin_listen);
    } else if (exit_status == 0 && !arguments->check_config) {
        stop_signal_init();
        exit_status = run(&config);
    }
    worker_config_clear(&config);
    config_report_clear(&report);
    return exit_status;
}

/* Large bodies are given back to the system when they are freed. Left to itself the library raises this to the largest
   one that was freed, and keeps what lies between others. */
static void give_memory_back(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
}

int main(int argc, char **argv)
{
    give_memory_back();
    struct config_arguments arguments;
    struct error error = {0};
    if (!config_arguments_read(argc, argv, &arguments, &error)) {
        fprintf(stderr, "dropworker: %s\n", error.text);
        return error_exit_status(error.code);
    }
    if (arguments.help)
        return print_help();
    if (arguments.version) {
        printf("dropworker %s\n", DROPBRIDGE_VERSION);
        return 0;
    }
    return load_and_run(&arguments);
}

/* dropworker: takes Drop Cowboy's events out of RabbitMQ and keeps the live counters in Redis. */
#include "common/admin_server.h"
#include "common/error.h"
#include "common/log.h"
#include "common/program.h"
#include "common/service_notify.h"
#include "common/stop_signal.h"
#include "worker.h"
#include "worker_config.h"
#include "worker_status.h"

enum { MMAP_FROM = 128 * 1024 };

static int run(const void *loaded, struct reread *reread)
{
    const struct worker_config *config = loaded;
    int exit_status = 0;
    struct error error = {0};
    struct admin_server *admin = NULL;
    struct worker_status status;
    worker_status_init(&status);
    struct worker *worker = NULL;
    if (stop_signal_listen(WORKER_GUARD_MS, &error))
        worker = worker_new(config, &status, reread, &error);
    if (!worker) {
        exit_status = program_fail(&error);
        goto out;
    }
    struct admin_config admin_config = {.listen = config->admin_listen,
                                        .metrics = status.metrics,
                                        .metric_count = WORKER_METRICS,
                                        .ready = worker_status_ready,
                                        .refresh = worker_status_refresh,
                                        .context = &status,
                                        .reread = reread};
    admin = admin_server_start(&admin_config, &error);
    if (!admin || !reread_start(reread, &(struct reread_ops){0}, &error) || !worker_start(worker, &error)) {
        exit_status = program_fail(&error);
        goto out;
    }
    service_notify_ready();
    worker_run(worker);
    log_info("stopped");
out:
    admin_server_stop(admin);
    reread_stop(reread);
    worker_free(worker);
    worker_status_clear(&status);
    return exit_status;
}

int main(int argc, char **argv)
{
    static const char help[] =
        "usage: dropworker [--config FILE] [--check-config] [--health] [--help] [--version]\n\n"
        "Takes Drop Cowboy's events out of RabbitMQ, classifies them and updates the counters in\n"
        "Redis. Any number of workers may run at once. Settings come from the environment, or from\n"
        "the lines KEY=VALUE of FILE; the environment wins.\n"
        "--health asks the worker that runs with the same settings for its /readyz: exit status\n"
        "0 if it is ready, else 1.\n\n";
    struct worker_config config;
    struct program program = {.name = "dropworker", .help = help, .load = worker_config_load, .run = run, .mmap_from = MMAP_FROM};
    program.rows = worker_config_rows(&program.row_count);
    return program_main(&program, &config, sizeof config, argc, argv);
}

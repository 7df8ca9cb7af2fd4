/* How long after its start the program sends its first request: `first RUNS DIR PROGRAM`. A socket
 * that accepts and reads once stands for the cloud; the time runs from before fork to the first
 * byte. Prints one line of JSON with the median and the worst. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX 1000

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int listen_any(unsigned *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 64) ||
        getsockname(fd, (struct sockaddr *)&at, &len))
        return -1;
    *port = ntohs(at.sin_port);
    return fd;
}

static int write_config(const char *path, unsigned port)
{
    FILE *f = fopen(path, "w");

    if (!f)
        return -1;
    fprintf(
        f,
        "account \"it\" { provider = \"easemob\", appkey = \"sandbox#demo\", user = \"agent\",\n"
        "  token = \"none\", rest = \"http://127.0.0.1:%u\", websocket = "
        "\"ws://127.0.0.1:%u/websocket\" }\n",
        port, port);
    return fclose(f) || chmod(path, 0600) ? -1 : 0;
}

/* One start; milliseconds, or a negative number. */
static double run_once(int server, const char *program, const char *config, const char *out)
{
    double begin = now_ms();
    double end = -1;
    char byte = 0;
    pid_t pid = fork();

    if (!pid) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execl(program, program, "export", "-c", config, "-a", "it", "-o", out, (char *)NULL);
        _exit(127);
    }
    if (pid < 0)
        return -1;
    int peer = accept(server, NULL, NULL);
    if (peer >= 0 && read(peer, &byte, 1) == 1)
        end = now_ms();
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (peer >= 0)
        close(peer);
    return end < 0 ? -1 : end - begin;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    double ms[RUNS_MAX];
    char config[1024], out[1100];
    unsigned port = 0;
    int runs = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;

    if (argc != 4 || runs < 1 || runs > RUNS_MAX)
        return 2;
    int server = listen_any(&port);
    snprintf(config, sizeof config, "%s/first.lua", argv[2]);
    if (server < 0 || write_config(config, port))
        return 1;
    alarm(120);
    for (int i = 0; i < runs; i++) {
        snprintf(out, sizeof out, "%s/first-%d", argv[2], i);
        ms[i] = run_once(server, argv[3], config, out);
        if (ms[i] < 0)
            return 1;
    }
    qsort(ms, (size_t)runs, sizeof *ms, by_value);
    printf("{\"name\":\"first request\",\"runs\":%d,\"median_ms\":%.1f,\"worst_ms\":%.1f}\n", runs,
           ms[runs / 2], ms[runs - 1]);
    close(server);
    return 0;
}

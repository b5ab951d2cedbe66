// Forks thousands of times while threads allocate, free, begin and end; no child may hang.
//   forks SECONDS MOST checks|plain
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <pwd.h>

static atomic_int stop;
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void *churn(void *argument) {
    unsigned seed = (unsigned)(size_t)argument;
    void *blocks[64] = {0};
    while (!stop) {
        unsigned slot = rand_r(&seed) % 64;
        // Leaves some of few cores to those that fork.
        if (slot == 0) usleep(100);
        free(blocks[slot]);
        size_t bytes = rand_r(&seed) % 20 ? rand_r(&seed) % 600 : rand_r(&seed) % 200000;
        blocks[slot] = malloc(bytes);
        if (rand_r(&seed) % 30 == 0) blocks[slot] = realloc(blocks[slot], bytes * 2 + 1);
    }
    for (int i = 0; i < 64; i++) free(blocks[i]);
    return NULL;
}

static void *brief(void *argument) {
    free(malloc((size_t)argument));
    return NULL;
}

static void *creates(void *argument) {
    (void)argument;
    while (!stop) {
        pthread_t id;
        if (pthread_create(&id, NULL, brief, (void *)100) == 0) pthread_join(id, NULL);
        usleep(100);
    }
    return NULL;
}

static void *prints(void *argument) {
    while (!stop) {
        FILE *file = fopen("/dev/null", "w");
        if (!file) continue;
        fprintf(file, "%p", argument);
        fflush(NULL);
        fclose(file);
        getpwuid(0);
        usleep(100);
    }
    return NULL;
}

static void *checks(void *argument) {
    (void)argument;
    while (!stop && __lsan_do_recoverable_leak_check) {
        __lsan_do_recoverable_leak_check();
        usleep(2000);
    }
    return NULL;
}

static void *forks(void *argument) {
    (void)argument;
    while (!stop) {
        pid_t child = fork();
        if (child == 0) _exit(malloc(40) == NULL);
        if (child > 0) waitpid(child, NULL, 0);
        usleep(1000);
    }
    return NULL;
}

static void work_in_child(int number) {
    void *blocks[40];
    for (int i = 0; i < 40; i++) blocks[i] = malloc((size_t)(i * 37 + number % 100));
    for (int i = 0; i < 40; i++) free(blocks[i]);
    free(calloc(1, 300000));
    pthread_t id;
    if (number % 4 == 0 && pthread_create(&id, NULL, brief, (void *)200) == 0) pthread_join(id, NULL);
    if (number % 16 == 1 && __lsan_do_recoverable_leak_check) __lsan_do_recoverable_leak_check();
    if (number % 32 == 2) {
        pid_t grandchild = fork();
        if (grandchild == 0) _exit(0);
        waitpid(grandchild, NULL, 0);
    }
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    int most = atoi(argv[2]), with_checks = !strcmp(argv[3], "checks");
    time_t end = time(NULL) + atoi(argv[1]);
    void *(*roles[])(void *) = {churn, churn, churn, creates, prints, forks, checks};
    pthread_t ids[7];
    int count = with_checks ? 7 : 6, forked = 0;
    for (int i = 0; i < count; i++) pthread_create(&ids[i], NULL, roles[i], (void *)(size_t)(i + 1));
    while (forked < most && time(NULL) < end) {
        pid_t child = fork();
        if (child < 0) continue;
        if (child == 0) {
            alarm(300);
            work_in_child(forked);
            // Some end with the check at exit.
            if (forked % 8 == 0) exit(0);
            _exit(0);
        }
        int status;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
        if (status != 0) {
            fprintf(stderr, "child %d of fork %d ended with %#x\n", child, forked, status);
            _exit(1);
        }
        forked++;
    }
    stop = 1;
    for (int i = 0; i < count; i++) pthread_join(ids[i], NULL);
    printf("%d forks\n", forked);
    return 0;
}

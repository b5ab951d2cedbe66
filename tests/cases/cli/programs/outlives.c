/* Loses a block in a thread that outlives the first one. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void *lose(void *unused) {
    usleep(20000);
    ((volatile char *) malloc(1027))[0] = 1;
    return unused;
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, lose, NULL) != 0) return 1;
    pthread_exit(NULL);
}

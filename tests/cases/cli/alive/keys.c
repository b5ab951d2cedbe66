// Keeps blocks in the places that only C has: values of pthread keys, a register, a root region.
#define _GNU_SOURCE
#include <heapcheck.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int ready;
static pthread_key_t first, last;
__thread void *volatile mine;
static void **volatile page;
static struct { long count; struct { char *name; void *bytes; } rows[4]; } table;

static void *of_first_key(void) { return malloc(2001); }
static void *of_last_key(void) { return malloc(2002); }
static void *of_register(void) { return malloc(2003); }
static void *of_region(void) { return malloc(2004); }
static void *of_thread_local(void) { return malloc(2005); }
static void *of_static(void) { return malloc(2006); }

static void *run(void *unused) {
    (void)unused;
    pthread_setname_np(pthread_self(), "keeper");
    pthread_setspecific(first, of_first_key());
    pthread_setspecific(last, of_last_key());
    mine = of_thread_local();
    void *only = of_register();
    // Nothing but the register: the word on the stack is cleared before the thread waits.
    __asm__ volatile("mov %0, %%r13\n\tmovq $0, %0\n\tmovl $1, %1\n\t"
                     "1: mov $34, %%eax\n\tsyscall\n\tjmp 1b"
                     : "+m"(only), "+m"(ready) : : "rax", "rcx", "r11", "r13", "memory");
    return NULL;
}

int main(void) {
    pthread_key_t key;
    pthread_key_create(&first, NULL);
    for (int count = 0; count < 40; count++)
        pthread_key_create(&key, NULL);
    last = key;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    heapcheck_root_region_add(page, 4096);
    page[8] = of_region();
    table.rows[3].bytes = of_static();
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
    while (!ready)
        usleep(1000);
    return 0;
}

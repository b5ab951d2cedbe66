// When memory has run out and was freed again, blocks of other sizes can be had from it.
// run: HEAPCHECK=normal under ulimit -> clean
#include "support.h"

struct link { struct link *next; };

static size_t fill(struct link **head, size_t size) {
    size_t count = 0;
    for (struct link *link; (link = malloc(size)) != NULL; count++) {
        link->next = *head;
        *head = link;
    }
    return count;
}

static void empty(struct link **head) {
    while (*head) {
        struct link *link = *head;
        *head = link->next;
        free(link);
    }
}

int main(void) {
    static struct link *head;
    size_t small = fill(&head, 40);
    empty(&head);
    size_t larger = fill(&head, 2000);
    empty(&head);
    REQUIRE(small > 100000);
    REQUIRE(larger > 10000);
    void *large = malloc(50000000);
    REQUIRE(large != NULL);
    free(large);
    return 0;
}

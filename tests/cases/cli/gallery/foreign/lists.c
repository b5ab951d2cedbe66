// A C library that hands out what its callers have to free, and one that forgets what it was given.
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    char *key;
};

struct entry *list_add(struct entry *list, const char *key) {
    struct entry *entry = malloc(sizeof *entry);
    entry->next = list;
    entry->key = strdup(key);
    return entry;
}

char *list_render(int width) {
    char *text = malloc(width + 1);
    memset(text, ' ', width);
    text[width] = 0;
    return text;
}

void registry_keep(void *callback, int is_first) {
    static void *kept;
    // The one kept before is lost.
    kept = is_first ? callback : NULL;
}

struct parser {
    struct buffer *buffer;
    char *name;
};

struct buffer {
    struct parser *owner;
    char bytes[128];
};

void parser_open(const char *name) {
    struct parser *parser = calloc(1, sizeof *parser);
    parser->name = strdup(name);
    parser->buffer = malloc(sizeof *parser->buffer);
    parser->buffer->owner = parser;
}

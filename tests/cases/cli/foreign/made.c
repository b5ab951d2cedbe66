// What C makes with malloc and its relatives. Above each function stands what it loses: `//= COUNT x TYPE`, where `?` is a block
// whose type nobody can know, and `//~ FIELD` for the fields of a cycle.
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTSIDE __attribute__((noinline)) void
#define NEW(type) ((type *)malloc(sizeof(type)))

struct entry {
    struct entry *next;
    char *key;
};

struct pair {
    long first, second;
};

typedef struct {
    double x, y, z;
} point_t;

typedef struct tree tree_t;
struct tree {
    tree_t *parent, *left, *right;
    int depth;
};

struct buffer;
struct parser {
    struct buffer *buffer;
    char *name;
    int line;
};
struct buffer {
    struct parser *owner;
    char bytes[128];
};

struct message {
    size_t length;
    char text[];
};

struct derived {
    struct pair base;
    int more;
};

static void *volatile sink;
static struct entry *volatile list;
static size_t volatile count = 3;

static void lose(void *block) {
    sink = block;
    sink = NULL;
}

//= struct entry
OUTSIDE size_of_the_variable(void) {
    struct entry *entry = malloc(sizeof *entry);
    lose(entry);
}

//= struct entry
OUTSIDE size_of_the_type(void) {
    lose(malloc(sizeof(struct entry)));
}

//= struct pair
OUTSIDE assigned_later(void) {
    struct pair *pair;
    struct entry *other = NULL;
    pair = malloc(sizeof(*pair));
    lose(other);
    lose(pair);
}

//= point_t
OUTSIDE a_name_for_what_has_none(void) {
    point_t *point = (point_t *)malloc(sizeof(point_t));
    lose(point);
}

//= struct tree
OUTSIDE a_name_for_what_has_one(void) {
    tree_t *tree = calloc(1, sizeof(tree_t));
    lose(tree);
}

//= struct pair[]
OUTSIDE many_of_them(void) {
    struct pair *pairs = calloc(count, sizeof *pairs);
    lose(pairs);
}

//= double[]
OUTSIDE many_numbers(void) {
    double *numbers = malloc(count * sizeof(double));
    lose(numbers);
}

//= struct pair *[]
OUTSIDE many_pointers(void) {
    struct pair **pairs = malloc(sizeof(struct pair *) * count);
    lose(pairs);
}

//= char[]
OUTSIDE text_of_a_length(void) {
    char *text = malloc(count + 1);
    lose(text);
}

//= char[]
OUTSIDE copied_text(void) {
    lose(strdup("a text"));
}

//= struct message
OUTSIDE with_a_tail(void) {
    struct message *message = malloc(sizeof *message + count);
    lose(message);
}

//= unsigned long[]
OUTSIDE grown(void) {
    unsigned long *all = NULL;
    for (size_t number = 1; number < 5; number++)
        all = realloc(all, number * sizeof *all);
    lose(all);
}

//= struct tree
OUTSIDE with_another_argument(void) {
    struct tree *tree = aligned_alloc(32, sizeof *tree);
    lose(tree);
}

//= struct entry
OUTSIDE grown_from_nothing(void) {
    struct entry *entry = realloc(NULL, sizeof(struct entry));
    lose(entry);
}

//= struct pair
OUTSIDE by_a_macro(void) {
    struct pair *pair = NEW(struct pair);
    lose(pair);
}

static void *checked(size_t size) {
    void *block = malloc(size);
    if (block == NULL)
        abort();
    return block;
}

__attribute__((noinline)) static void *checked_twice(size_t size) {
    void *block = checked(size);
    lose(block);
    return block;
}

//= struct entry
OUTSIDE by_a_wrapper(void) {
    struct entry *entry = checked(sizeof *entry);
    lose(entry);
}

//= point_t
OUTSIDE by_two_wrappers(void) {
    point_t *point = checked_twice(sizeof *point);
    lose(point);
}

__attribute__((noinline)) static struct pair *pair_new(void) {
    struct pair *made;
    made = malloc(sizeof(struct pair));
    lose(made);
    return made;
}

//= struct pair
OUTSIDE by_a_constructor(void) {
    lose(pair_new());
}

//= struct derived
OUTSIDE behind_a_pointer_to_its_beginning(void) {
    struct pair *pair = malloc(sizeof(struct derived));
    ((struct derived *)pair)->more = 1;
    lose(pair);
}

// Only a part of the size is known to belong to a type.
//= ?
OUTSIDE two_in_one(void) {
    lose(malloc(sizeof(struct pair) * 2 + sizeof(struct entry) * count));
}

// `sizeof pair` is the size of a pointer: a mistake, and no type.
//= ?
OUTSIDE the_wrong_size(void) {
    struct pair *pair = malloc(sizeof(pair));
    lose(pair);
}

// A comment and a string say what is not so: malloc(sizeof(struct pair))
//= ?
OUTSIDE no_words_of_a_comment(void) {
    void *block = /* malloc(sizeof(struct entry)) */ malloc(16); // malloc(sizeof(struct pair))
    lose(block), puts("malloc(sizeof(struct entry))");
}

// Sixteen bytes are as many as a `struct options` has, but that is chance.
struct options {
    long width, height;
};
__attribute__((noinline)) static char *render(struct options *options) {
    void *text;
    text = malloc(options->width);
    memset(text, ' ', options->width);
    lose(text);
    return text;
}
//= ?
OUTSIDE chance(void) {
    struct options options = {16, 1};
    lose(render(&options));
}

//= 4 x struct entry
//= 4 x char[]
OUTSIDE a_list(void) {
    list = NULL;
    for (int number = 0; number < 4; number++) {
        struct entry *entry = malloc(sizeof *entry);
        entry->next = list;
        entry->key = strdup("key");
        list = entry;
    }
    list = NULL;
}

//= struct parser
//= struct buffer
//= char[]
//~ parser.buffer
//~ buffer.owner
OUTSIDE a_cycle(void) {
    struct parser *parser = calloc(1, sizeof *parser);
    parser->name = strdup("a name");
    parser->buffer = malloc(sizeof *parser->buffer);
    parser->buffer->owner = parser;
    lose(parser);
}

// What a field of a known type points to is known by that.
//= struct parser
//= struct buffer
OUTSIDE known_by_its_owner(void) {
    struct parser *parser = malloc(sizeof(struct parser));
    void *block;
    parser->name = NULL;
    block = malloc(136);
    parser->buffer = block;
    memset(block, 0, 136);
    lose(parser);
}

int main(void) {
    size_of_the_variable();
    size_of_the_type();
    assigned_later();
    a_name_for_what_has_none();
    a_name_for_what_has_one();
    many_of_them();
    many_numbers();
    many_pointers();
    text_of_a_length();
    copied_text();
    with_a_tail();
    grown();
    with_another_argument();
    grown_from_nothing();
    by_a_macro();
    by_a_wrapper();
    by_two_wrappers();
    by_a_constructor();
    behind_a_pointer_to_its_beginning();
    two_in_one();
    the_wrong_size();
    no_words_of_a_comment();
    chance();
    a_list();
    a_cycle();
    known_by_its_owner();
    return 0;
}

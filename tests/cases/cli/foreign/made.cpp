// What C++ makes with new and the containers of its library. Above each function stands what it loses: `//= COUNT x TYPE`, where `?` is
// a block whose type nobody can know, `//~ FIELD` for the fields of a cycle, and `//o` where a container is told as one thing.
#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#define OUTSIDE extern "C" __attribute__((noinline)) void
#define MAKE(...) new __VA_ARGS__

namespace {
void *volatile sink;
int volatile one = 1;
const char *const LONG = "a text that is too long to be stored in place";
template <typename T> void lose(T *block) {
    sink = const_cast<void *>(static_cast<const void *>(block));
    sink = nullptr;
}
} // namespace

namespace shapes {
struct Point {
    double x = 1, y = 2;
};
struct Shape {
    virtual ~Shape() = default;
    long id = 1;
};
struct Circle : Shape {
    double radius = 1;
};
struct Square : Shape {
    double side = 1;
};
struct Drawing {
    std::string title;
    std::vector<std::string> layers;
    std::unique_ptr<Shape> shape;
};
struct Counted {
    std::shared_ptr<Counted> peer;
    int number = 0;
};
struct Parent;
struct Child {
    std::shared_ptr<Parent> parent;
};
struct Parent {
    std::map<int, std::shared_ptr<Child>> children;
    std::string name;
};
template <typename T> struct Pool {
    T *take() { return new T(); }
    T *first = nullptr;
};
struct Named {
    std::string name;
    explicit Named(const char *text) : name(text) {}
};
struct Chain {
    Chain *next = nullptr, *prev = nullptr;
    int number = 0;
};
} // namespace shapes

namespace other {
struct Point {
    double x = 1, y = 2;
};
struct Own {
    long words[5] = {};
    static void *operator new(size_t size) { return ::operator new(size); }
    static void operator delete(void *block) { ::operator delete(block); }
};
} // namespace other

//= Point
OUTSIDE a_class() {
    auto *point = new shapes::Point();
    lose(point);
}

namespace shapes {
//= Circle
OUTSIDE a_class_of_the_same_namespace() {
    Shape *shape = new Circle;
    lose(shape);
}
__attribute__((noinline)) void make_one_of_two() {
    Point *point = new Point{};
    lose(point);
}
} // namespace shapes

//= Point
OUTSIDE the_nearer_of_two() {
    shapes::make_one_of_two();
    one = 1;
}

//= Point[]
OUTSIDE an_array() {
    auto *points = new other::Point[one + 2];
    lose(points);
}

//= Named[]
//o
OUTSIDE an_array_that_knows_its_length() {
    auto *points = new shapes::Named[1]{shapes::Named("short")};
    lose(points);
}

//= double[]
OUTSIDE numbers() {
    double *numbers = new double[one + 6];
    lose(numbers);
}

//= Point *[]
OUTSIDE pointers() {
    auto **points = new shapes::Point *[one + 1]();
    lose(points);
}

//= Point
OUTSIDE what_a_template_is_of() {
    shapes::Pool<other::Point> pool;
    lose(pool.take());
}

//= Pool<Point>
OUTSIDE a_template() {
    lose(new shapes::Pool<shapes::Point>());
}

//= Named
//= std::string
OUTSIDE a_constructor_with_arguments() {
    lose(new shapes::Named(LONG));
}

//= Own
OUTSIDE an_operator_of_its_own() {
    lose(new other::Own());
}

//= Point
OUTSIDE never_throws() {
    lose(new (std::nothrow) shapes::Point());
}

//= Named
//= Point
//o
OUTSIDE two_on_a_line() {
    lose(new shapes::Named("short")), lose(new shapes::Point());
}

//= Point
OUTSIDE by_a_macro() {
    shapes::Point *point = MAKE(shapes::Point());
    lose(point);
}

struct Local {
    long words[3];
};
//= Local
OUTSIDE a_class_of_a_function() {
    struct Local {
        double number = 1, words[2] = {};
    };
    auto *local = new Local();
    local->number = one;
    lose(local);
}

// What a base class brings along hides what lies around.
struct Link {
    long next = 0, prev = 0;
};
struct Linked {
    struct Link {
        double weight = 1, length = 2;
    };
};
struct Graph : Linked {
    void *made = nullptr;
    __attribute__((noinline)) void make() {
        auto *link = new Link();
        made = link;
    }
};
//= ?
OUTSIDE a_name_from_a_base_class() {
    Graph graph;
    graph.make();
    lose(&graph);
}

// A function that C can call does not say in which namespace it lies, so that either could be meant.
//= ?
OUTSIDE one_of_two() {
    lose(new ::Link());
}

// A base class of the same size is not what was made; the object says what it is.
struct Base {
    virtual ~Base() = default;
    long word = 1;
};
struct Same : Base {
    ~Same() override { word = 2; }
};
//= Same
OUTSIDE a_macro_and_a_base() {
    Base *base = MAKE(Same());
    lose(base);
}

//= Drawing
//= Square
//= 4 x std::string
//= std::vector<std::string>
OUTSIDE members() {
    auto *drawing = new shapes::Drawing{LONG, {}, nullptr};
    drawing->layers.reserve(3);
    for (int number = 0; number < 3; number++)
        drawing->layers.push_back(LONG);
    drawing->shape = std::make_unique<shapes::Square>();
    lose(drawing);
}

//= std::string
//o
OUTSIDE a_string_on_the_heap() {
    lose(new std::string("short"));
}

//= 2 x std::shared_ptr<Counted>
//~ Counted.peer
//~ Counted.peer
OUTSIDE shared_pointers() {
    auto a = std::make_shared<shapes::Counted>(), b = std::make_shared<shapes::Counted>();
    a->peer = b;
    b->peer = a;
}

//= std::shared_ptr<Counted>
//= Counted
OUTSIDE a_shared_pointer_beside_its_value() {
    std::shared_ptr<shapes::Counted> a(new shapes::Counted());
    a->peer = a;
}

//= 21 x std::map<int, std::string>
//= 20 x std::string
//o
OUTSIDE a_map() {
    auto *index = new std::map<int, std::string>();
    for (int key = 0; key < 20; key++)
        (*index)[key] = LONG;
    lose(index);
}

//= 4 x std::set<double>
//o
OUTSIDE a_set() {
    auto *set = new std::set<double>{1, 2, 3};
    lose(set);
}

//= 4 x std::multimap<int, Point>
//o
OUTSIDE a_multimap() {
    auto *map = new std::multimap<int, shapes::Point>();
    for (int key = 0; key < 3; key++)
        map->insert({key, shapes::Point()});
    lose(map);
}

//= 4 x std::list<Point>
//o
OUTSIDE a_list() {
    auto *list = new std::list<shapes::Point>();
    for (int number = 0; number < 3; number++)
        list->push_back(shapes::Point());
    lose(list);
}

//= 4 x std::forward_list<int>
OUTSIDE a_forward_list() {
    auto *list = new std::forward_list<int>();
    for (int number = 0; number < 3; number++)
        list->push_front(number);
    lose(list);
}

//= 6 x std::deque<long>
OUTSIDE a_deque() {
    auto *deque = new std::deque<long>();
    for (long number = 0; number < 200; number++)
        deque->push_back(number);
    lose(deque);
}

//= 5 x std::unordered_map<int, std::string>
//= 3 x std::string
//o
OUTSIDE an_unordered_map() {
    auto *map = new std::unordered_map<int, std::string>();
    for (int key = 0; key < 3; key++)
        (*map)[key] = LONG;
    lose(map);
}

//= 5 x std::unordered_set<int>
//o
OUTSIDE an_unordered_set() {
    auto *set = new std::unordered_set<int>{1, 2, 3};
    lose(set);
}

//= 2 x std::vector<std::vector<int>>
//= 3 x std::vector<int>
OUTSIDE vectors_of_vectors() {
    auto *rows = new std::vector<std::vector<int>>(3, std::vector<int>(5, 1));
    lose(rows);
}

// A map in an object of a person's own: its nodes point into that, and it is no cycle that anybody has made.
//= Parent
//= 3 x std::map<int, std::shared_ptr<Child>>
//= 3 x std::shared_ptr<Child>
//o
OUTSIDE a_map_in_a_class() {
    auto *parent = new shapes::Parent();
    for (int key = 0; key < 3; key++)
        parent->children[key] = std::make_shared<shapes::Child>();
    lose(parent);
}

// Here somebody has: the children know their parent.
//= std::shared_ptr<Parent>
//= std::map<int, std::shared_ptr<Child>>
//= std::shared_ptr<Child>
//~ Parent.children
//~ values[..]
//~ Child.parent
OUTSIDE a_cycle_through_a_map() {
    auto parent = std::make_shared<shapes::Parent>();
    parent->children[1] = std::make_shared<shapes::Child>();
    parent->children[1]->parent = parent;
}

//= 3 x Chain
//~ Chain.next
//~ Chain.prev
OUTSIDE a_list_of_ones_own() {
    shapes::Chain *first = nullptr;
    for (int number = 0; number < 3; number++) {
        auto *chain = new shapes::Chain();
        chain->next = first;
        if (first)
            first->prev = chain;
        first = chain;
    }
    lose(first);
}

// What lies below the stack pointer holds nothing alive, but what lies above it does: stale words of the cases.
__attribute__((noinline)) void clear() {
    volatile char page[1 << 16];
    for (auto &byte : page)
        byte = 0;
}

int main() {
    a_class();
    shapes::a_class_of_the_same_namespace();
    the_nearer_of_two();
    an_array();
    an_array_that_knows_its_length();
    numbers();
    pointers();
    what_a_template_is_of();
    a_template();
    a_constructor_with_arguments();
    an_operator_of_its_own();
    never_throws();
    two_on_a_line();
    by_a_macro();
    a_class_of_a_function();
    a_name_from_a_base_class();
    one_of_two();
    a_macro_and_a_base();
    members();
    a_string_on_the_heap();
    shared_pointers();
    a_shared_pointer_beside_its_value();
    a_map();
    a_set();
    a_multimap();
    a_list();
    a_forward_list();
    a_deque();
    an_unordered_map();
    an_unordered_set();
    vectors_of_vectors();
    a_map_in_a_class();
    clear();
    a_cycle_through_a_map();
    clear();
    a_list_of_ones_own();
    clear();
}

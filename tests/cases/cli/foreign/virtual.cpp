// Objects with virtual functions, which their first word tells the class of. With -DLIBRARY it is what a library has, with -DCALLS the
// program that calls it, and else both. Above each function stands what it loses, as in made.cpp.
#include <memory>
#include <new>
#include <string>
#include <vector>

#define CASES(CASE)                                                                                                    \
    CASE(through_its_base)                                                                                             \
    CASE(that_inherits_twice)                                                                                          \
    CASE(with_a_virtual_base)                                                                                          \
    CASE(a_template)                                                                                                   \
    CASE(in_no_namespace)                                                                                              \
    CASE(a_shared_pointer_to_its_base)                                                                                 \
    CASE(a_shared_pointer_beside_its_value)                                                                            \
    CASE(a_cycle)                                                                                                      \
    CASE(the_first_member)                                                                                             \
    CASE(some_in_a_buffer)                                                                                             \
    CASE(two_classes_at_one_place)                                                                                     \
    CASE(in_memory_for_more)
#define OUTSIDE extern "C" __attribute__((noinline)) void

#ifndef CALLS
namespace {
void *volatile sink;
int volatile two = 2;
template <typename T> void lose(T *block) {
    sink = const_cast<void *>(static_cast<const void *>(block));
    sink = nullptr;
}
} // namespace

namespace shapes {
struct Shape {
    virtual ~Shape() = default;
    virtual double area() const { return 0; }
    long id = 1;
};
struct Circle : Shape {
    double area() const override { return radius * 3; }
    double radius = 1;
};
struct Square : Shape {
    double area() const override { return side * side; }
    double side = 1;
};
struct Named {
    virtual ~Named() = default;
    std::string name;
};
struct Label : Shape, Named {
    double area() const override { return 7; }
    long size = 4;
};
struct Shared : virtual Shape {
    long count = 1;
};
template <typename T> struct Pool : Shape {
    T items[5];
};
struct Link : Shape {
    std::shared_ptr<Shape> next;
};
struct Picture {
    Circle circle;
    long more[2];
};
} // namespace shapes

struct Global : shapes::Shape {
    long more[9];
};

//= Circle
OUTSIDE through_its_base() {
    std::unique_ptr<shapes::Shape> shape(new shapes::Circle);
    lose(shape.release());
}

// Its short name points to itself.
//= Label
//~ Label.name
//o
OUTSIDE that_inherits_twice() {
    shapes::Named *named = new shapes::Label;
    lose(named);
}

//= Shared
OUTSIDE with_a_virtual_base() {
    lose(new shapes::Shared);
}

//= Pool<int>
OUTSIDE a_template() {
    lose(new shapes::Pool<int>);
}

//= Global
OUTSIDE in_no_namespace() {
    lose(new Global);
}

//= std::shared_ptr<Square>
//= std::shared_ptr<Shape>
OUTSIDE a_shared_pointer_to_its_base() {
    lose(new std::shared_ptr<shapes::Shape>(std::make_shared<shapes::Square>()));
}

//= Label
//= 2 x std::shared_ptr<Label>
OUTSIDE a_shared_pointer_beside_its_value() {
    lose(new std::shared_ptr<shapes::Label>(new shapes::Label));
}

//= 2 x std::shared_ptr<Link>
OUTSIDE a_cycle() {
    auto one = std::make_shared<shapes::Link>(), other = std::make_shared<shapes::Link>();
    one->next = other;
    other->next = one;
}

//= Picture
OUTSIDE the_first_member() {
    lose(new shapes::Picture);
}

//= 2 x std::vector<Circle>
OUTSIDE some_in_a_buffer() {
    lose(new std::vector<shapes::Circle>(two));
}

//= 2 x ?
OUTSIDE two_classes_at_one_place() {
    void *memory[2];
    for (int at = 0; at < two; at++)
        memory[at] = operator new(sizeof(shapes::Circle));
    lose(new (memory[0]) shapes::Circle);
    lose(new (memory[1]) shapes::Square);
    for (void *volatile *place = memory; place < memory + 2; place++)
        *place = nullptr;
}

//= ?
OUTSIDE in_memory_for_more() {
    lose(new (operator new(400)) shapes::Circle);
}
#else
#define DECLARE(name) extern "C" void name();
CASES(DECLARE)
#endif

#ifndef LIBRARY
// What lies below the stack pointer holds nothing alive, but what lies above it does: stale words of the cases.
__attribute__((noinline)) void clear() {
    volatile char page[1 << 16];
    for (auto &byte : page)
        byte = 0;
}

int main() {
#define CALL(name)                                                                                                     \
    name();                                                                                                            \
    clear();
    CASES(CALL)
}
#endif

// A C++ library that comes without debug information: what its objects are, their virtual functions tell.
#include <memory>
#include <vector>

namespace machines {

struct Part {
    virtual ~Part() = default;
    virtual int power() const = 0;
};

struct Motor : Part {
    int power() const override { return speed * 3; }
    int speed = 4;
};

struct Press : Part {
    int power() const override { return motor->power() + 1; }
    std::unique_ptr<Part> motor{new Motor};
    double force[3] = {1, 2, 3};
};

struct Belt : Part {
    int power() const override { return 2; }
    std::shared_ptr<Part> from, to;
};

} // namespace machines

extern "C" int press_build() {
    machines::Part *volatile press = new machines::Press;
    int power = press->power();
    press = nullptr;
    return power;
}

extern "C" int belts_join() {
    auto first = std::make_shared<machines::Belt>(), second = std::make_shared<machines::Belt>();
    first->to = second;
    second->from = first;
    return first->power();
}

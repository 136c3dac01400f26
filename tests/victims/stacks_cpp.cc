/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -O2 -fomit-frame-pointer
/* stacks_cpp: containers, regular expressions, exceptions, virtual calls and lambdas; all of it asks for memory. */
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{

using table = std::map<std::string, std::string>;

table fill(int n)
{
	table t;

	for (int i = 0; i < n; i++)
		t["a key that is long enough, number " + std::to_string(i)] = std::string(40 + i % 7, 'x');
	return t;
}

int match(const table &t)
{
	std::regex pattern("(a key) ([a-z ]+), number ([0-9]+|x*y)");
	std::smatch found;
	int n = 0;

	for (const auto &line : t)
		n += std::regex_match(line.first, found, pattern) && found[3].length() > 0;
	return n;
}

struct shape {
	virtual ~shape() = default;
	virtual std::string name(int n) const = 0;
};

struct square : shape {
	std::string name(int n) const override
	{
		return std::string(30, 's') + std::to_string(n);
	}
};

struct circle : shape {
	std::string name(int n) const override
	{
		if (n % 3 == 0)
			throw std::invalid_argument("a circle that is divisible by three: " + std::to_string(n));
		return std::string(50, 'c');
	}
};

int shapes()
{
	std::vector<std::unique_ptr<shape>> all;
	int thrown = 0;

	for (int i = 0; i < 12; i++) {
		if (i % 2)
			all.push_back(std::make_unique<square>());
		else
			all.push_back(std::make_unique<circle>());
		try {
			all.back()->name(i);
		} catch (const std::exception &e) {
			thrown += std::string(e.what()).size() > 10;
		}
	}
	return thrown;
}

int work()
{
	std::function<int(int)> again = [&](int n) { return n ? again(n - 1) + int(fill(n).size()) : match(fill(9)); };
	std::vector<std::string> words;

	for (int i = 0; i < 40; i++)
		words.push_back(std::string(20 + i * 7 % 30, char('a' + i % 26)));
	std::stable_sort(words.begin(), words.end());
	return again(4) + shapes() + int(words.front().size());
}

} // namespace

int main()
{
	int sums[3] = {};
	std::vector<std::thread> threads;

	for (int &sum : sums)
		threads.emplace_back([&sum] { sum = work(); });
	for (std::thread &t : threads)
		t.join();
	std::cout << sums[0] + sums[1] + sums[2] << "\n";
	return sums[0] != sums[1] || sums[1] != sums[2];
}

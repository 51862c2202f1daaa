#include "db/access.h"

#include "base/check.h"
#include "base/rng.h"

/* A new key starts with some use, or it would be the first to go (Redis: LFU_INIT_VAL). */
enum { COUNTER_MAX = 255, COUNTER_START = 5, TENTH_MS = 100, MINUTE_TENTHS = 600 };

void access_set_now(struct access *a, uint64_t now_ms)
{
    a->tenths = (uint32_t)(now_ms / TENTH_MS);
}

static uint32_t minutes(const struct access *a)
{
    return a->tenths / MINUTE_TENTHS & 0xffffff;
}

static uint32_t pack(const struct access *a, uint32_t counter)
{
    CHECK(counter <= COUNTER_MAX);
    return minutes(a) << 8 | counter;
}

uint32_t access_new(const struct access *a)
{
    return a->lfu ? pack(a, COUNTER_START) : a->tenths;
}

uint32_t access_frequency(const struct access *a, uint32_t value)
{
    uint32_t counter = value & COUNTER_MAX;
    if (a->decay_minutes == 0)
        return counter;
    uint32_t passed = ((minutes(a) - (value >> 8)) & 0xffffff) / a->decay_minutes;
    return passed > counter ? 0 : counter - passed;
}

/* Grows with a chance of 1 / (counter * log_factor + 1). */
uint32_t access_used(struct access *a, uint32_t value)
{
    if (!a->lfu)
        return a->tenths;
    uint32_t counter = access_frequency(a, value);
    if (counter < COUNTER_MAX) {
        uint64_t above = counter > COUNTER_START ? counter - COUNTER_START : 0;
        counter += rng_below(&a->random, above * a->log_factor + 1) == 0;
    }
    return pack(a, counter);
}

uint64_t access_idle_ms(const struct access *a, uint32_t value)
{
    return (uint64_t)(uint32_t)(a->tenths - value) * TENTH_MS;
}

uint64_t access_score(const struct access *a, uint32_t value)
{
    return a->lfu ? COUNTER_MAX - access_frequency(a, value) : access_idle_ms(a, value);
}

uint32_t access_of_idle(const struct access *a, uint64_t idle_s)
{
    uint64_t tenths = idle_s > UINT32_MAX / 20 ? UINT32_MAX / 2 : idle_s * 10;
    return a->tenths - (uint32_t)tenths;
}

uint32_t access_of_frequency(const struct access *a, uint32_t frequency)
{
    return pack(a, frequency);
}

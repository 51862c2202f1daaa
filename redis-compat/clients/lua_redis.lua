-- vdb through lua-redis, in Lua 5.1: its pipelines fail in 5.3.
--
--     lua5.1 lua_redis.lua PORT

local redis = require 'redis'

local KEY = 'key \0\r\n'
local passed, failed = 0, 0

for _, name in ipairs { 'VADD', 'VSIM', 'VCARD', 'VEMB', 'VCREATE', 'VMADD', 'VSEARCH', 'VDROP',
                        'NOSUCH', 'CLIENT' } do
    redis.commands[name:lower()] = redis.command(name)
end
local client = redis.connect('127.0.0.1', tonumber(arg[1]))

-- The four bytes of a float32; for values that need no rounding.
local function float32(value)
    if value == 0 then return ('\0'):rep(4) end
    local sign = value < 0 and 128 or 0
    local fraction, exponent = math.frexp(math.abs(value))
    local bits = (fraction * 2 - 1) * 2 ^ 23
    local biased = exponent + 126
    return string.char(bits % 256, math.floor(bits / 256) % 256,
                       math.floor(bits / 65536) + biased % 2 * 128,
                       sign + math.floor(biased / 2))
end

local function blob(...)
    local out = {}
    for i, value in ipairs { ... } do out[i] = float32(value) end
    return table.concat(out)
end

local function plain(value)
    if type(value) ~= 'table' then return tostring(value) end
    local out = {}
    for i, member in ipairs(value) do out[i] = plain(member) end
    return '[' .. table.concat(out, ' ') .. ']'
end

local function check(found, wanted)
    found, wanted = plain(found), plain(wanted)
    if found ~= wanted then error(found .. ' instead of ' .. wanted) end
end

local function refused(words, run)
    local fine, said = pcall(run)
    if fine then error('no error with ' .. words) end
    if not tostring(said):find(words, 1, true) then error(said .. ' lacks ' .. words) end
end

local function step(name, run)
    local fine, why = pcall(run)
    if fine then
        passed = passed + 1
    else
        failed = failed + 1
        print('FAIL ' .. name .. ': ' .. tostring(why))
    end
end

print('client lua-redis ' .. redis._VERSION:match('[%d.]+%S*') .. ' RESP2')
client:flushall()

step('connect', function()
    check(client:ping(), true)
    check(client:echo('words'), 'words')
    client:client('SETNAME', 'steps')
    check(client:client('GETNAME'), 'steps')
end)
step('binary values', function()
    local bytes = {}
    for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
    bytes = table.concat(bytes)
    check(client:set(KEY, bytes), true)
    check(client:get(KEY), bytes)
    check(client:get('none'), nil)
end)
step('large values', function()
    local large = ('x'):rep(1048576)
    client:set('large', large)
    check(client:get('large'), large)
end)
step('pipeline', function()
    local said = client:pipeline(function(p)
        for i = 0, 999 do
            p:set('p' .. i, i)
            p:get('p' .. i)
        end
    end)
    for i = 0, 999 do
        check({ said[2 * i + 1], said[2 * i + 2] }, { true, i })
    end
end)
step('transaction', function()
    local said = client:transaction(function(t)
        t:set('n', 7)
        t:incr('n')
        t:get('n')
    end)
    check(said, { true, 8, 8 })
end)
step('errors', function()
    client:set('text', 'v')
    refused('WRONGTYPE', function() client:vcard('text') end)
    refused('unknown command', function() client:nosuch() end)
    refused('not an integer', function() client:incr('text') end)
    check(client:ping(), true)
end)
step('expiry', function()
    client:set('e', 'v', 'EX', 100)
    check(client:ttl('e'), 100)
    client:psetex('e', 30, 'v')
    local over = os.time() + 2
    while client:exists('e') and os.time() < over do end
    check(client:get('e'), nil)
end)
step('vector set', function()
    check(client:vadd('set', 'FP32', blob(3, 4), 'a'), 1)
    check(client:vadd('set', 'FP32', blob(4, 3), 'b'), 1)
    check(client:vadd('set', 'FP32', blob(-3, 4), 'c', 'SETATTR', '{"n":1}'), 1)
    check(client:vsim('set', 'ELE', 'a'), { 'a', 'b', 'c' })
    check(client:vsim('set', 'FP32', blob(3, 4), 'WITHSCORES', 'COUNT', 1), { 'a', '1' })
    check(client:vsim('set', 'ELE', 'a', 'FILTER', '.n == 1'), { 'c' })
    check(client:vemb('set', 'a'), { '3', '4' })
end)
step('collection', function()
    check(client:vcreate('c', 'DIM', 2, 'METRIC', 'L2'), true)
    check(client:vmadd('c', 'FP32', 2, 'x', KEY, blob(1, 0, 0, 1)), { 1, 1 })
    check(client:vsearch('c', 'FP32', blob(1, 0), 'WITHDIST'), { { 'x', '0' }, { KEY, '2' } })
    check(client:vdrop('c'), true)
end)
step('pipeline of vectors', function()
    local said = client:pipeline(function(p)
        for i = 0, 999 do p:vadd('many', 'FP32', blob(i, 1), i) end
    end)
    local added = 0
    for _, one in ipairs(said) do added = added + one end
    check(added, 1000)
    check(client:vsim('many', 'FP32', blob(0, 1), 'COUNT', 1), { '0' })
end)

print(passed .. ' passed, ' .. failed .. ' failed, 0 skipped')
os.exit(failed == 0 and 0 or 1)

# vdb through ruby-redis.
#
#     ruby ruby_redis.rb PORT

require 'redis'

PORT = Integer(ARGV[0])
BYTES = (0..255).map(&:chr).map(&:b).join
KEY = "key \0\r\n".b
$passed = $failed = 0

def blob(*values)
  values.pack('e*')
end

def check(found, wanted)
  raise "#{found.inspect} instead of #{wanted.inspect}" unless found == wanted
end

def refused(words)
  yield
rescue Redis::CommandError => e
  raise "\"#{e.message}\" lacks \"#{words}\"" unless e.message.include?(words)
else
  raise "no error with \"#{words}\""
end

def step(name)
  yield
  $passed += 1
rescue StandardError => e
  $failed += 1
  puts "FAIL #{name}: #{e.message}"
end

r = Redis.new(port: PORT, id: 'steps')
puts "client ruby-redis #{Redis::VERSION} RESP2"
r.flushall

step('connect') do
  check(r.ping, 'PONG')
  check(r.echo('words'), 'words')
  check(r.call('CLIENT', 'GETNAME'), 'steps')
end
step('binary values') do
  check(r.set(KEY, BYTES), 'OK')
  check(r.get(KEY).b, BYTES)
  check(r.get('none'), nil)
end
step('large values') do
  large = 'x' * (1 << 20)
  r.set('large', large)
  check(r.get('large'), large)
end
step('pipeline') do
  said = r.pipelined { |p| 1000.times { |i| p.set("p#{i}", i); p.get("p#{i}") } }
  check(said, (0...1000).flat_map { |i| ['OK', i.to_s] })
end
step('transaction') do
  check(r.multi { |m| m.set('n', 7); m.incr('n'); m.get('n') }, ['OK', 8, '8'])
  check(r.watch('n') { r.set('n', 1); r.multi { |m| m.get('n') } }, nil)
end
step('errors') do
  r.set('text', 'v')
  refused('WRONGTYPE') { r.call('VCARD', 'text') }
  refused('unknown command') { r.call('NOSUCH') }
  refused('not an integer') { r.incr('text') }
  check(r.ping, 'PONG')
end
step('expiry') do
  r.set('e', 'v', ex: 100)
  check(r.ttl('e'), 100)
  r.psetex('e', 30, 'v')
  sleep 0.15
  check(r.get('e'), nil)
end
step('vector set') do
  check(r.call('VADD', 'set', 'FP32', blob(3, 4), 'a'), 1)
  check(r.call('VADD', 'set', 'FP32', blob(4, 3), 'b'), 1)
  check(r.call('VADD', 'set', 'FP32', blob(-3, 4), 'c', 'SETATTR', '{"n":1}'), 1)
  check(r.call('VSIM', 'set', 'ELE', 'a'), %w[a b c])
  check(r.call('VSIM', 'set', 'FP32', blob(3, 4), 'WITHSCORES', 'COUNT', 1), %w[a 1])
  check(r.call('VSIM', 'set', 'ELE', 'a', 'FILTER', '.n == 1'), %w[c])
  check(r.call('VEMB', 'set', 'a').map(&:to_f), [3.0, 4.0])
end
step('collection') do
  check(r.call('VCREATE', 'c', 'DIM', 2, 'METRIC', 'L2'), 'OK')
  check(r.call('VMADD', 'c', 'FP32', 2, 'x', KEY, blob(1, 0, 0, 1)), [1, 1])
  check(r.call('VSEARCH', 'c', 'FP32', blob(1, 0), 'WITHDIST').map { |id, d| [id.b, d] },
        [['x', '0'], [KEY, '2']])
  check(r.call('VDROP', 'c'), 'OK')
end
step('pipeline of vectors') do
  said = r.pipelined { |p| 1000.times { |i| p.call('VADD', 'many', 'FP32', blob(i, 1), i) } }
  check(said, [1] * 1000)
  check(r.call('VSIM', 'many', 'FP32', blob(0, 1), 'COUNT', 1), ['0'])
end

puts "#{$passed} passed, #{$failed} failed, 0 skipped"
exit($failed.zero?)

<?php
// vdb through phpredis, PHP's extension in C.
//
//     php phpredis.php PORT

require __DIR__ . '/php_steps.php';

class PhpRedis
{
    private Redis $redis;

    public function __construct(int $port)
    {
        $this->redis = new Redis();
        $this->redis->connect('127.0.0.1', $port);
    }

    public function call(string ...$words)
    {
        return $this->redis->rawCommand(...$words);
    }

    public function refusal(string ...$words): string
    {
        $this->redis->clearLastError();
        if ($this->call(...$words) !== false) {
            throw new Exception('no error of ' . $words[0]);
        }
        return (string) $this->redis->getLastError();
    }

    public function pipeline(array $calls): array
    {
        return $this->together($this->redis->multi(Redis::PIPELINE), $calls);
    }

    public function transaction(array $calls): array
    {
        return $this->together($this->redis->multi(), $calls);
    }

    private function together(Redis $open, array $calls): array
    {
        foreach ($calls as $words) {
            $open->rawCommand(...$words);
        }
        return $open->exec();
    }
}

echo 'client phpredis ' . phpversion('redis') . " RESP2\n";
run(new PhpRedis((int) $argv[1]));

<?php
// vdb through Predis, PHP's client in PHP.
//
//     php predis.php PORT

require __DIR__ . '/php_steps.php';
require '/usr/share/php/Predis/Autoloader.php';
Predis\Autoloader::register();

class PredisClient
{
    private Predis\Client $client;

    public function __construct(int $port)
    {
        $this->client = new Predis\Client(['host' => '127.0.0.1', 'port' => $port]);
    }

    public function call(string ...$words)
    {
        $said = $this->client->executeRaw($words, $error);
        if ($error) {
            throw new Exception($said);
        }
        return $said;
    }

    public function refusal(string ...$words): string
    {
        $said = $this->client->executeRaw($words, $error);
        if (!$error) {
            throw new Exception('no error of ' . $words[0]);
        }
        return $said;
    }

    public function pipeline(array $calls): array
    {
        return $this->together($this->client->pipeline(), $calls);
    }

    public function transaction(array $calls): array
    {
        return $this->together($this->client->transaction(), $calls);
    }

    private function together($open, array $calls): array
    {
        foreach ($calls as $words) {
            $open->executeCommand(new Predis\Command\RawCommand($words));
        }
        return $open->execute();
    }
}

echo 'client Predis ' . Predis\Client::VERSION . " RESP2\n";
run(new PredisClient((int) $argv[1]));

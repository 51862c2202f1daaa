#!/usr/bin/perl
# vdb through Redis.pm.
#
#     perl perl_redis.pl PORT
use strict;
use warnings;
use Redis;
use Time::HiRes 'sleep';

my $bytes = join '', map { chr } 0 .. 255;
my $key = "key \0\r\n";
my ($passed, $failed) = (0, 0);

sub blob { return pack 'f<*', @_ }

sub plain {
    my ($value) = @_;
    return 'nil' unless defined $value;
    return ref $value ? '[' . join(' ', map { plain($_) } @$value) . ']' : $value;
}

sub check {
    my ($found, $wanted) = map { plain($_) } @_;
    die "$found instead of $wanted" unless $found eq $wanted;
}

sub refused {
    my ($words, $run) = @_;
    eval { $run->(); 1 } and die "no error with '$words'";
    die "'$@' lacks '$words'" unless index($@, $words) >= 0;
}

sub step {
    my ($name, $run) = @_;
    if (eval { $run->(); 1 }) {
        $passed++;
    } else {
        $failed++;
        print "FAIL $name: $@\n";
    }
}

my $r = Redis->new(server => "127.0.0.1:$ARGV[0]", name => 'steps');
print "client Redis.pm $Redis::VERSION RESP2\n";
$r->flushall;

step connect => sub {
    check($r->ping, 'PONG');
    check($r->echo('words'), 'words');
    check($r->client_getname, 'steps');
};
step 'binary values' => sub {
    check($r->set($key, $bytes), 'OK');
    check($r->get($key), $bytes);
    check($r->get('none'), undef);
};
step 'large values' => sub {
    my $large = 'x' x (1 << 20);
    $r->set('large', $large);
    check($r->get('large'), $large);
};
step pipeline => sub {
    my @said;
    for my $i (0 .. 999) {
        $r->set("p$i", $i, sub { push @said, $_[0] });
        $r->get("p$i", sub { push @said, $_[0] });
    }
    $r->wait_all_responses;
    check(\@said, [map { ('OK', $_) } 0 .. 999]);
};
step transaction => sub {
    $r->multi;
    $r->set('n', 7);
    $r->incr('n');
    $r->get('n');
    check([$r->exec], ['OK', 8, 8]);
};
step errors => sub {
    $r->set('text', 'v');
    refused('WRONGTYPE', sub { $r->vcard('text') });
    refused('unknown command', sub { $r->nosuch });
    refused('not an integer', sub { $r->incr('text') });
    check($r->ping, 'PONG');
};
step expiry => sub {
    $r->set('e', 'v', EX => 100);
    check($r->ttl('e'), 100);
    $r->psetex('e', 30, 'v');
    sleep 0.15;
    check($r->get('e'), undef);
};
step 'vector set' => sub {
    check($r->vadd('set', 'FP32', blob(3, 4), 'a'), 1);
    check($r->vadd('set', 'FP32', blob(4, 3), 'b'), 1);
    check($r->vadd('set', 'FP32', blob(-3, 4), 'c', 'SETATTR', '{"n":1}'), 1);
    check([$r->vsim('set', 'ELE', 'a')], ['a', 'b', 'c']);
    check([$r->vsim('set', 'FP32', blob(3, 4), 'WITHSCORES', 'COUNT', 1)], ['a', '1']);
    check([$r->vsim('set', 'ELE', 'a', 'FILTER', '.n == 1')], ['c']);
    check([$r->vemb('set', 'a')], [3, 4]);
};
step collection => sub {
    check($r->vcreate('c', 'DIM', 2, 'METRIC', 'L2'), 'OK');
    check([$r->vmadd('c', 'FP32', 2, 'x', $key, blob(1, 0, 0, 1))], [1, 1]);
    check([$r->vsearch('c', 'FP32', blob(1, 0), 'WITHDIST')], [['x', 0], [$key, 2]]);
    check($r->vdrop('c'), 'OK');
};
step 'pipeline of vectors' => sub {
    my $added = 0;
    $r->vadd('many', 'FP32', blob($_, 1), $_, sub { $added += $_[0] }) for 0 .. 999;
    $r->wait_all_responses;
    check($added, 1000);
    check([$r->vsim('many', 'FP32', blob(0, 1), 'COUNT', 1)], [0]);
};

print "$passed passed, $failed failed, 0 skipped\n";
exit($failed == 0 ? 0 : 1);

# Redis and its clients: cases, their page, programs in many languages.

.PHONY: compat compat-replay compat-wire compat-record compat-page
compat-replay: all ## recorded replies of Redis, byte for byte, against vdb (T="file ...")
	redis-compat/compat.py replay $(T)
compat-wire: all ## what frameworks say that cannot run here, and what they read (T="name ...")
	redis-compat/wire.py $(T)
compat-record: ## record the cases again from redis-server 7.0.15 (T="file ...")
	redis-compat/compat.py record $(T)
compat-page: all ## write redis-compat/COMPATIBILITY.md again
	redis-compat/compat.py page
compat: all ## everything below redis-compat: cases, clients of many languages, Redis's tools
	redis-compat/compat.sh

.PHONY: frameworks
frameworks: all ## frameworks of RAG, caches and sessions, unmodified: a table (T="name ...")
	redis-compat/frameworks/run.py install $(T)

.PHONY: redis-suite
redis-suite: all ## the parts of Redis's own tests that apply, from Debian's source (T="part ...")
	redis-compat/suite/run.sh $(T)

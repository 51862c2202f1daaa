/* How well a document fits, by the formulas of RediSearch's scorers, so that what clients compare
 * with thresholds keeps its scale. BM25STD is Okapi BM25 (Robertson and Zaragoza 2009) with k1 1.2
 * and b 0.75; BM25 is RediSearch's older form of it. */
#include <math.h>

#include "text/match_own.h"

static const double k1 = 1.2, b_std = 0.75, b_old = 0.5;

bool text_scorer_find(struct slice name, enum text_scorer *out)
{
    static const char *const names[] = {
#define X(scorer, name) name,
        TEXT_SCORER_LIST(X)
#undef X
    };
    for (unsigned i = 0; i < TEXT_SCORER_COUNT; i++)
        if (slice_eq_nocase(name, names[i])) {
            *out = (enum text_scorer)i;
            return true;
        }
    return false;
}

double text_idf(const struct text_matching *m, uint64_t docs)
{
    double all = (double)m->view->alive, with = (double)(docs == 0 ? 1 : docs);
    if (m->ask->scorer != TEXT_BM25STD)
        return logb(1 + all / with);
    double without = all - with;
    return log(1 + ((without < 0 ? 0 : without) + 0.5) / (with + 0.5));
}

double text_term_score(const struct text_matching *m, double idf, uint32_t frequency,
                       const struct text_version *v)
{
    double f = frequency;
    double average = m->view->alive == 0 ? 1 : (double)m->view->length / (double)m->view->alive;
    switch (m->ask->scorer) {
    case TEXT_BM25STD:
        return idf * f * (k1 + 1) / (f + k1 * (1 - b_std + b_std * v->length / average));
    case TEXT_BM25:
        return idf * f * (k1 + 1) / (f + k1 * (1 - b_old + b_old * average));
    case TEXT_TFIDF:
    case TEXT_TFIDF_DOCNORM:
        return f * idf;
    case TEXT_DISMAX:
        return f;
    case TEXT_DOCSCORE:
    case TEXT_SCORER_COUNT:
        break;
    }
    return 0;
}

double text_document_score(const struct text_matching *m, double score,
                           const struct text_version *v)
{
    double of = v->score;
    switch (m->ask->scorer) {
    case TEXT_BM25STD:
    case TEXT_BM25:
        return score * of;
    case TEXT_TFIDF:
        return v->frequency == 0 ? 0 : score * of / v->frequency;
    case TEXT_TFIDF_DOCNORM:
        return v->length == 0 ? 0 : score * of / v->length;
    case TEXT_DISMAX:
        return score;
    case TEXT_DOCSCORE:
    case TEXT_SCORER_COUNT:
        break;
    }
    return of;
}

/* document_room.h: where values of JSON documents are put together (documents.h). */
#ifndef VDB_DB_DOCUMENT_ROOM_H
#define VDB_DB_DOCUMENT_ROOM_H

#include "base/buf.h"

/* owner: who reads documents, one value after the other */
struct document_room {
    struct buf bytes;
    bool failed; /* memory was short for one of the values, which came as nothing */
};

#endif

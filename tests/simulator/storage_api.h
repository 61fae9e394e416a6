// Object storage: finished outputs (no key needed, Range served) and presigned uploads (upstream.md
// sections 1.3, 2.2 and 9.1, points 5 and 6). Single-threaded.
#pragma once

#include "exchange.h"
#include "world.h"

namespace lumaedit::simulator {

// GET of /gmi-video-assests-prod/{request_id}/{file}.
Reply ServeOutput(World& world, const Request& request);
// POST of .../upload-url.
Reply MakeUploadUrl(World& world, const Request& request);
// PUT of /_upload/{token} and GET of /_public/{token}.
Reply PutUpload(World& world, const Request& request);
Reply GetUpload(World& world, const Request& request);

// Where those paths begin.
inline constexpr char kOutputPrefix[] = "/gmi-video-assests-prod/";
inline constexpr char kUploadPrefix[] = "/_upload/";
inline constexpr char kPublicPrefix[] = "/_public/";

}  // namespace lumaedit::simulator

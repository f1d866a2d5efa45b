// FFmpeg 2.8 opens codecs in one thread at a time: without a lock that its user brings, the second
// thread's file is refused.
#pragma once

namespace maest {

// What av_lockmgr_register() takes; it serves every user of the library, Essentia too. A fork waits
// until no codec is being opened, so that the child can open some.
int manage_ffmpeg_lock(void** mutex, int operation);

}  // namespace maest

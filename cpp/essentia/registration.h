// Puts the algorithms into Essentia's factories, beside what Essentia itself has there.
#pragma once

namespace maest::plugin {

// Adds each algorithm to both factories under two names: its own, such as OnnxPredictMAEST, unless
// an algorithm of that name is there already, which is never replaced; and a second one that begins
// with `Maest`, such as MaestOnnxPredictMAEST, by which it can be had in any case.
// Throws essentia::EssentiaException when there is no factory.
void add_algorithms();

}  // namespace maest::plugin

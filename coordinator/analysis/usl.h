// The Universal Scalability Law: throughput over the number of connections.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/analysis/confidence.h"

namespace tidemark {

// X(n) = gamma n / (1 + sigma (n - 1) + kappa n (n - 1)). gamma: throughput of one; sigma: the share that is serial;
// kappa: what each pair costs to keep in step.  Source: Gunther, "Guerrilla Capacity Planning", 2007.
struct Usl {
  double gamma = 0;
  double sigma = 0;
  double kappa = 0;

  double At(double n) const { return gamma * n / (1 + sigma * (n - 1) + kappa * n * (n - 1)); }
  // Where X is largest: sqrt((1 - sigma) / kappa); infinite without kappa.
  double Peak() const;
};

struct UslPoint {
  double n = 0;
  double x = 0;
};

// Fits by Levenberg-Marquardt in the logarithms of the three parameters, on the residual ln X - ln X(n) with Huber's
// weights beyond 5 %, from a start that the linearised law gives. Nothing with fewer than three points or a
// throughput that is not positive.
std::optional<Usl> FitUsl(const std::vector<UslPoint>& points);

// What a sweep says about capacity. `samples[i]` are throughputs measured at points[i].n, one per second, from which
// intervals come by bootstrap (95 %, resampling the seconds of each point); a point may have none.
struct Capacity {
  Usl fit;
  double x_max = 0;       // of the fit, within the sweep
  bool has_peak = false;  // the sweep goes at least 1.2 times past it, and kappa is not negligible
  Interval gamma, sigma, kappa, n_peak, x_peak;
  bool has_intervals = false;
  std::string refusal;  // why there is no fit at all, empty if there is
};
Capacity FindCapacity(const std::vector<UslPoint>& points, const std::vector<std::vector<double>>& samples);

// Three independent answers to the question from which n on more connections only wait.
struct Knee {
  double power = 0;      // where X / R is largest (Kleinrock)
  double crossing = 0;   // where the asymptotes meet: R_min X_max
  double kneedle = 0;    // farthest from the chord of the normalised curve (Satopaa et al. 2011)
  bool IsClear() const;  // they differ by a factor of two at most
};
struct KneePoint {
  double n = 0;
  double x = 0;
  double r_s = 0;  // mean time
};
// REQUIRES: ascending n, at least three points.
Knee FindKnee(const std::vector<KneePoint>& points);

}  // namespace tidemark

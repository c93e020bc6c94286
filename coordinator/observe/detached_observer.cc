#include "coordinator/observe/detached_observer.h"

#include <algorithm>
#include <utility>

namespace tidemark {

DetachedObserver::DetachedObserver(RunObserver* view) : view_(view), thread_([this] { Tell(); }) {}

DetachedObserver::~DetachedObserver() {
  {
    MutexLock lock(&mutex_);
    is_over_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void DetachedObserver::BeginPoint(const PointBegin& point) {
  Push({.tell = [point](RunObserver* view) { view->BeginPoint(point); }});
}

void DetachedObserver::Update(const PointSoFar& so_far) {
  Push({.kind = Kind::kUpdate, .tell = [so_far](RunObserver* view) { view->Update(so_far); }});
}

void DetachedObserver::AddWindow(const std::shared_ptr<const WindowSum>& window) {
  Push({.kind = Kind::kWindow, .tell = [window](RunObserver* view) { view->AddWindow(window); }});
}

void DetachedObserver::EndPoint(const PointSoFar& so_far) {
  Push({.tell = [so_far](RunObserver* view) { view->EndPoint(so_far); }});
}

void DetachedObserver::Say(const std::string& text) {
  Push({.tell = [text](RunObserver* view) { view->Say(text); }});
}

std::size_t DetachedObserver::missed() const {
  MutexLock lock(&mutex_);
  return missed_;
}

void DetachedObserver::Push(Call call) {
  {
    MutexLock lock(&mutex_);
    // An update that waits as the last one is overtaken by this one.
    const bool is_newer = call.kind == Kind::kUpdate && !calls_.empty() && calls_.back().kind == Kind::kUpdate;
    if (is_newer) calls_.pop_back();
    if (call.kind == Kind::kWindow && ++windows_ > kMaxWindows) {
      calls_.erase(std::find_if(calls_.begin(), calls_.end(), [](const Call& c) { return c.kind == Kind::kWindow; }));
      --windows_;
      ++missed_;
    }
    calls_.push_back(std::move(call));
  }
  changed_.NotifyAll();
}

void DetachedObserver::Tell() {
  while (true) {
    Call call;
    {
      MutexLock lock(&mutex_);
      while (calls_.empty() && !is_over_) changed_.Wait(&mutex_);
      if (calls_.empty()) return;
      call = std::move(calls_.front());
      calls_.pop_front();
      if (call.kind == Kind::kWindow) --windows_;
    }
    call.tell(view_);
  }
}

}  // namespace tidemark

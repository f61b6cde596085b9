// Two simulated devices: a backend of torch for tests, under the name that Python gives to PrivateUse1.
//
// A device's memory is the host's, counted. Its kernels are the host's, by torch's fallback; a kernel whose tensors are
// on different devices is refused, as CUDA refuses it. Work is done at once. `keep_busy` lets a device be busy for some
// seconds more, for which everything waits that waits for a real device: a synchronisation, a read of a value, a copy
// to the host, and a copy from the host's memory that may block.
//
// Source: PyTorch, "Facilitating new backend integration by PrivateUse1", and the headers that it names.

#include <ATen/EmptyTensor.h>
#include <ATen/autocast_mode.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_local_scalar_dense_native.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace {

using c10::Device;
using c10::DeviceIndex;
using c10::Stream;
using Clock = std::chrono::steady_clock;

constexpr DeviceIndex DEVICES = 2;
constexpr auto KIND = c10::DeviceType::PrivateUse1;

// ------------------------------------------------------------------ devices

thread_local DeviceIndex current = 0;
thread_local std::array<c10::StreamId, DEVICES> streams{};
thread_local bool in_kernel = false; // its copies to the host and back are no copies of the program

std::mutex lock;
std::array<Clock::time_point, DEVICES> busy_until{};
std::array<int64_t, DEVICES> waits{};
std::atomic<int64_t> questions{0}; // that would open the driver

Device device(DeviceIndex index) {
  return Device(KIND, index);
}

void wait_for(DeviceIndex index) {
  Clock::time_point until;
  {
    std::lock_guard<std::mutex> held(lock);
    until = busy_until[index];
    ++waits[index];
  }
  std::this_thread::sleep_until(until);
}

DeviceIndex exchange(DeviceIndex index) {
  TORCH_CHECK(index >= 0 && index < DEVICES, "there is no device ", int(index));
  std::swap(current, index);
  return index;
}

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override {
    return KIND;
  }
  Device exchangeDevice(Device wanted) const override {
    return device(wanted.has_index() ? exchange(wanted.index()) : current);
  }
  Device getDevice() const override {
    return device(current);
  }
  void setDevice(Device wanted) const override {
    exchange(wanted.index());
  }
  void uncheckedSetDevice(Device wanted) const noexcept override {
    current = wanted.index();
  }
  Stream getStream(Device of) const override {
    return Stream(Stream::UNSAFE, device(of.has_index() ? of.index() : current), streams[of.has_index() ? of.index() : current]);
  }
  Stream getDefaultStream(Device of) const override {
    return Stream(Stream::DEFAULT, device(of.has_index() ? of.index() : current));
  }
  Stream getStreamFromGlobalPool(Device of, bool) const override {
    return getNewStream(of, 0);
  }
  Stream getNewStream(Device of, int) const override {
    static std::atomic<c10::StreamId> last{0};
    return Stream(Stream::UNSAFE, device(of.has_index() ? of.index() : current), ++last);
  }
  Stream exchangeStream(Stream wanted) const override {
    const auto before = getStream(wanted.device());
    streams[wanted.device_index()] = wanted.id();
    return before;
  }
  DeviceIndex deviceCount() const noexcept override {
    ++questions;
    return DEVICES;
  }
  void record(void** event, const Stream&, const DeviceIndex, const c10::EventFlag) const override {
    if (*event == nullptr) {
      *event = new int(0);
    }
  }
  void block(void*, const Stream&) const override {}
  bool queryEvent(void*) const override {
    return true;
  }
  void destroyEvent(void* event, const DeviceIndex) const noexcept override {
    delete static_cast<int*>(event);
  }
  void synchronizeEvent(void*) const override {}
  bool queryStream(const Stream& stream) const override {
    std::lock_guard<std::mutex> held(lock);
    return busy_until[stream.device_index()] <= Clock::now();
  }
  void synchronizeStream(const Stream& stream) const override {
    wait_for(stream.device_index());
  }
  void synchronizeDevice(const DeviceIndex index) const override {
    wait_for(index);
  }
};

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

// ------------------------------------------------------------------- memory

struct Block {
  void* memory;
  size_t bytes;
  DeviceIndex index;
};

std::array<c10::CachingDeviceAllocator::DeviceStats, DEVICES> stats;

void count(const Block& block, bool is_new) {
  constexpr auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  std::lock_guard<std::mutex> held(lock);
  auto& of_device = stats[block.index];
  for (auto* bytes : {&of_device.allocated_bytes, &of_device.reserved_bytes, &of_device.active_bytes}) {
    is_new ? (*bytes)[all].increase(block.bytes) : (*bytes)[all].decrease(block.bytes);
  }
  is_new ? of_device.allocation[all].increase(1) : of_device.allocation[all].decrease(1);
}

void release(void* context) {
  auto* block = static_cast<Block*>(context);
  count(*block, false);
  std::free(block->memory);
  delete block;
}

struct Memory final : c10::DeviceAllocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* memory = nullptr;
    TORCH_CHECK(bytes == 0 || posix_memalign(&memory, 64, bytes) == 0, "out of memory: ", bytes, " bytes");
    auto* block = new Block{memory, bytes, current};
    count(*block, true);
    return {memory, block, &release, device(current)};
  }
  c10::DeleterFnPtr raw_deleter() const override {
    return &release;
  }
  void copy_data(void* target, const void* source, std::size_t bytes) const override {
    default_copy_data(target, source, bytes);
  }
  bool initialized() override {
    return true;
  }
  void emptyCache(c10::MempoolId_t = {0, 0}) override {}
  void recordStream(const c10::DataPtr&, Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(DeviceIndex index) override {
    ++questions;
    std::lock_guard<std::mutex> held(lock);
    return stats[index];
  }
  void resetAccumulatedStats(DeviceIndex) override {}
  void resetPeakStats(DeviceIndex index) override {
    ++questions;
    std::lock_guard<std::mutex> held(lock);
    auto& of_device = stats[index];
    for (auto* bytes : {&of_device.allocated_bytes, &of_device.reserved_bytes, &of_device.active_bytes}) {
      for (auto& one : *bytes) {
        one.reset_peak();
      }
    }
  }
};

Memory memory;
REGISTER_ALLOCATOR(KIND, &memory);

// -------------------------------------------------------------------- hooks

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override {
    return true;
  }
  bool isAvailable() const override {
    return true;
  }
  bool hasPrimaryContext(DeviceIndex) const override {
    return true;
  }
  DeviceIndex deviceCount() const override {
    ++questions;
    return DEVICES;
  }
  void setCurrentDevice(DeviceIndex index) const override {
    exchange(index);
  }
  DeviceIndex getCurrentDevice() const override {
    return current;
  }
  DeviceIndex exchangeDevice(DeviceIndex index) const override {
    return exchange(index);
  }
  DeviceIndex maybeExchangeDevice(DeviceIndex index) const override {
    return exchange(index);
  }
  const at::Generator& getDefaultGenerator(DeviceIndex) const override {
    return at::detail::getDefaultCPUGenerator(); // kernels are the host's
  }
  at::Device getDeviceFromPtr(void*) const override {
    return device(current);
  }
  void resizePrivateUse1Bytes(const c10::Storage& storage, size_t bytes) const override {
    const c10::DeviceGuard guard(storage.device());
    auto larger = memory.allocate(bytes);
    memory.copy_data(larger.get(), storage.data(), std::min(bytes, storage.nbytes()));
    storage.set_data_ptr_noswap(std::move(larger));
    storage.set_nbytes(bytes);
  }
};

const bool hooked = [] {
  at::RegisterPrivateUse1HooksInterface(new Hooks());
  return true;
}();

// ------------------------------------------------------------------ kernels

struct InKernel {
  InKernel() : before(in_kernel) {
    in_kernel = true;
  }
  ~InKernel() {
    in_kernel = before;
  }
  bool before;
};

bool is_simulated(const at::Tensor& tensor) {
  return tensor.device().type() == KIND;
}

// The tensor's memory as a tensor of the host.
at::Tensor seen_by_host(const at::Tensor& tensor) {
  if (!is_simulated(tensor)) {
    return tensor;
  }
  return at::from_blob(
      tensor.data_ptr(), tensor.sizes(), tensor.strides(), tensor.options().device(at::kCPU).requires_grad(false));
}

at::Tensor empty(
    at::IntArrayRef size,
    std::optional<at::ScalarType> dtype,
    std::optional<at::Layout>,
    std::optional<Device> wanted,
    std::optional<bool>,
    std::optional<at::MemoryFormat> format) {
  const c10::DeviceGuard guard(wanted.value_or(device(current)));
  return at::detail::empty_generic(
      size, &memory, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), c10::dtype_or_default(dtype), format);
}

at::Tensor empty_strided(
    at::IntArrayRef size,
    at::IntArrayRef stride,
    std::optional<at::ScalarType> dtype,
    std::optional<at::Layout>,
    std::optional<Device> wanted,
    std::optional<bool>) {
  const c10::DeviceGuard guard(wanted.value_or(device(current)));
  return at::detail::empty_strided_generic(
      size, stride, &memory, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), c10::dtype_or_default(dtype));
}

at::Tensor copy_from(const at::Tensor& source, const at::Tensor& target, bool non_blocking) {
  if (!in_kernel && is_simulated(source) != is_simulated(target) && !(is_simulated(target) && non_blocking)) {
    wait_for(is_simulated(source) ? source.device().index() : target.device().index());
  }
  const at::NoGradGuard no_grad;
  seen_by_host(target).copy_(seen_by_host(source));
  return target;
}

const at::Tensor& resize_in_place(const at::Tensor& self, at::IntArrayRef size, std::optional<at::MemoryFormat> format) {
  const c10::DeviceGuard guard(self.device());
  return at::native::resize_(self, size, format);
}

at::Tensor copy_from_and_resize(const at::Tensor& source, const at::Tensor& target) {
  resize_in_place(target, source.sizes(), std::nullopt);
  return copy_from(source, target, false);
}

at::Scalar read_value(const at::Tensor& self) {
  wait_for(self.device().index());
  return at::native::_local_scalar_dense_cpu(seen_by_host(self));
}

at::Tensor to_host(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.to(at::kCPU) : tensor;
}

at::Tensor convolve(
    const at::Tensor& input,
    const at::Tensor& weight,
    const std::optional<at::Tensor>& bias,
    at::IntArrayRef stride,
    at::IntArrayRef padding,
    at::IntArrayRef dilation,
    bool transposed,
    at::IntArrayRef output_padding,
    int64_t groups) {
  const InKernel inside;
  TORCH_CHECK(input.device() == weight.device(), "a convolution on ", input.device(), " with weights on ", weight.device());
  std::optional<at::Tensor> added;
  if (bias.has_value() && bias->defined()) {
    added = to_host(*bias);
  }
  return at::convolution(
             to_host(input), to_host(weight), added, stride, padding, dilation, transposed, output_padding, groups)
      .to(input.device());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolve_backward(
    const at::Tensor& gradient,
    const at::Tensor& input,
    const at::Tensor& weight,
    at::IntArrayRef stride,
    at::IntArrayRef padding,
    at::IntArrayRef dilation,
    bool transposed,
    at::IntArrayRef output_padding,
    int64_t groups,
    std::array<bool, 3> wanted) {
  const InKernel inside;
  const auto channels = weight.size(transposed ? 1 : 0) * (transposed ? groups : 1);
  const auto [of_input, of_weight, of_bias] = at::convolution_backward(
      to_host(gradient), to_host(input), to_host(weight), at::IntArrayRef{channels}, stride, padding, dilation,
      transposed, output_padding, groups, wanted);
  const auto back = [&](const at::Tensor& one) { return one.defined() ? one.to(input.device()) : one; };
  return {back(of_input), back(of_weight), back(of_bias)};
}

void check_device(const c10::OperatorHandle& op, const at::Tensor& tensor, std::optional<Device>& found) {
  if (!tensor.defined() || !is_simulated(tensor)) {
    return;
  }
  TORCH_CHECK(
      !found.has_value() || *found == tensor.device() || tensor.dim() == 0,
      "Expected all tensors to be on the same device, but ", op.schema().name(), " got ", *found, " and ",
      tensor.device());
  if (!found.has_value() && tensor.dim() > 0) {
    found = tensor.device();
  }
}

void run_on_host(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  std::optional<Device> found;
  for (const auto& argument : torch::jit::last(*stack, op.schema().arguments().size())) {
    if (argument.isTensor()) {
      check_device(op, argument.toTensor(), found);
    } else if (argument.isTensorList()) {
      for (const at::Tensor& one : argument.toTensorVector()) {
        check_device(op, one, found);
      }
    }
  }
  const InKernel inside;
  at::native::cpu_fallback(op, stack);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_host>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("_copy_from", &copy_from);
  library.impl("_copy_from_and_resize", &copy_from_and_resize);
  library.impl("resize_", &resize_in_place);
  library.impl("_local_scalar_dense", &read_value);
  library.impl("as_strided", &at::native::as_strided_tensorimpl);
  library.impl("view", &at::native::view);
  library.impl("_reshape_alias", &at::native::_reshape_alias);
  library.impl("set_.source_Storage", &at::native::set_);
  library.impl("set_.source_Storage_storage_offset", &at::native::set_storage_cpu_);
  library.impl("set_.source_Tensor", &at::native::set_tensor_);
  library.impl("convolution_overrideable", &convolve);
  library.impl("convolution_backward_overrideable", &convolve_backward);
}

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFallthrough());
}

TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, m) {
  KERNEL_PRIVATEUSEONE(linear, lower_precision_fp)
  KERNEL_PRIVATEUSEONE(addmm, lower_precision_fp)
  KERNEL_PRIVATEUSEONE(mm, lower_precision_fp)
  KERNEL_PRIVATEUSEONE(matmul, lower_precision_fp)
  KERNEL_PRIVATEUSEONE(conv2d, lower_precision_fp)
  KERNEL_PRIVATEUSEONE(cross_entropy_loss, fp32)
}

} // namespace

// ---------------------------------------------------------- for Python's ctypes

extern "C" {

void keep_busy(int index, double seconds) {
  std::lock_guard<std::mutex> held(lock);
  busy_until[index] = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

long waits_for(int index) {
  std::lock_guard<std::mutex> held(lock);
  return waits[index];
}

long questions_asked() {
  return questions;
}
}

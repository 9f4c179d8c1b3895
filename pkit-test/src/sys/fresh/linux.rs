//! Linux: the initial stack of the process, and the array of constructors of its binary.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;

mod file;

unsafe extern "C" {
    /// What `getenv` and the standard library read.
    static mut environ: *const *const c_char;
}

/// A constructor as the C library calls it; those of musl get no arguments, and need none.
type Constructor = extern "C" fn(c_int, *const *const c_char, *const *const c_char);

/// Where in the array our own is, once it has run.
static REGISTERED: AtomicUsize = AtomicUsize::new(0);

pub(super) fn note_registered(place: Option<usize>) {
    REGISTERED.store(place.unwrap_or(0), Ordering::Relaxed);
}

/// Whether a fork can run the constructors that come after ours.
pub(crate) fn can_be_forked() -> bool {
    others().is_some()
}

/// Runs them. Where they are not found they have run: then we come last.
pub(super) fn run_other_constructors() {
    let Some(others) = others() else { return };
    let arguments: *const *const c_char =
        Start::known().map_or(ptr::null(), |start| start.arguments().cast_const().cast());
    let step = size_of::<usize>();
    for place in (others.start..others.end).step_by(step) {
        // SAFETY: the place is in the array of constructors of this binary, which the loader has filled and nobody changes.
        let address = unsafe { *ptr::with_exposed_provenance::<usize>(place) };
        // The loader skips none, but old linkers leave these in the first and the last place.
        if address == 0 || address == usize::MAX {
            continue;
        }
        // SAFETY: what is in the array is a constructor, which gets what the C library would have given it; those before
        // it have run, in their order, and there is one thread.
        unsafe {
            let constructor = std::mem::transmute::<*const (), Constructor>(ptr::with_exposed_provenance(address));
            constructor(c_int::from(!arguments.is_null()), arguments, environ);
        }
    }
}

/// Finds out what a fork has to know, which is the same in each: best done while there is nothing else to do.
pub(crate) fn prepare() {
    others();
    Start::known();
}

/// The places in the array behind our own.
fn others() -> Option<Range<usize>> {
    static OTHERS: OnceLock<Option<Range<usize>>> = OnceLock::new();
    OTHERS.get_or_init(find_others).clone()
}

fn find_others() -> Option<Range<usize>> {
    let registered = REGISTERED.load(Ordering::Relaxed);
    let binary = Binary::own()?;
    let array = if binary.is_dynamic { binary.constructors } else { file::constructors() }?;
    array.contains(&registered).then(|| registered + size_of::<usize>()..array.end)
}

/// Whether there is code of this binary at that address.
pub(super) fn is_code(address: usize) -> bool {
    Binary::own().is_some_and(|binary| binary.code.iter().any(|segment| segment.contains(&address)))
}

/// Sets exactly these variables, also where two have the same name.
pub(super) fn set_environment(variables: &[CString]) {
    let variables = variables.iter().map(|variable| variable.clone().into_raw().cast_const());
    let block: Vec<*const c_char> = variables.chain([ptr::null()]).collect();
    // SAFETY: there is one thread, nobody holds the old block, and the new one lives as long as the process. Whoever sets
    // a variable later copies it: that is what C libraries do with a block that they have not made.
    unsafe { environ = block.leak().as_ptr() };
}

/// Sets the path of the binary as the only argument, and what others see as the command line.
///
/// Both the standard library and C keep the address of the array of arguments, and take a null in it for its end.
pub(super) fn set_arguments(program: CString, shown: &CStr) {
    let Some(start) = Start::known() else { return };
    let arguments = start.arguments();
    // SAFETY: the array has a first argument, and a null behind the last one; it is ours to change, as is the text of the
    // arguments, of which at least two bytes are there; there is one thread.
    unsafe {
        *arguments = program.into_raw();
        *arguments.add(1) = ptr::null_mut();
        let shown = shown.to_bytes();
        let length = shown.len().min(start.text.len() - 2);
        let text: *mut u8 = ptr::with_exposed_provenance_mut(start.text.start);
        ptr::write_bytes(text, 0, start.text.len());
        ptr::copy_nonoverlapping(shown.as_ptr(), text, length);
        // A last byte that is not null tells the kernel that the text was changed, and ends before.
        *text.add(start.text.len() - 1) = b' ';
    }
}

/// What the kernel has put on the stack of the process when it was executed.
struct Start {
    /// The address of the array.
    arguments: usize,
    /// Where the text of the arguments lies.
    text: Range<usize>,
}

/// Fields of `/proc/self/stat`, counted from the one behind the name.
const STACK: usize = 25;
const TEXT: usize = 45;
const TEXT_END: usize = 46;

impl Start {
    fn known() -> Option<&'static Start> {
        static START: OnceLock<Option<Start>> = OnceLock::new();
        START.get_or_init(Start::of_process).as_ref()
    }

    fn arguments(&self) -> *mut *mut c_char {
        ptr::with_exposed_provenance_mut(self.arguments)
    }

    /// The C libraries keep it to themselves, but the kernel says where it is.
    fn of_process() -> Option<Start> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |at: usize| fields.get(at)?.parse::<usize>().ok();
        let (stack, text) = (field(STACK)?, field(TEXT)?..field(TEXT_END)?);
        if stack == 0 || stack % align_of::<usize>() != 0 || text.len() < 2 {
            return None;
        }
        let start: *mut usize = ptr::with_exposed_provenance_mut(stack);
        // SAFETY: the kernel says that the stack began here, with the number of arguments and their array behind it.
        let (count, arguments) = unsafe { (*start, start.add(1).cast::<*mut c_char>()) };
        // SAFETY: as above, and there is a first one.
        let is_array = count > 0 && unsafe { (*arguments).addr() } != 0;
        is_array.then_some(Start { arguments: arguments.expose_provenance(), text })
    }
}

/// The binary as it lies in memory.
#[derive(Debug, Default)]
struct Binary {
    /// It has a dynamic section, which says where its constructors are.
    is_dynamic: bool,
    constructors: Option<Range<usize>>,
    code: Vec<Range<usize>>,
}

/// An entry of the dynamic section.
#[repr(C)]
struct Dynamic {
    tag: usize,
    value: usize,
}

const DT_NULL: usize = 0;
const DT_INIT_ARRAY: usize = 25;
const DT_INIT_ARRAYSZ: usize = 27;

impl Binary {
    /// The first object that the loader tells of.
    fn own() -> Option<Binary> {
        let mut binary = None;
        // SAFETY: the callback has the type that is asked for, and the pointer is to a value that outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut binary).cast()) };
        binary
    }

    fn of(object: &libc::dl_phdr_info) -> Binary {
        let mut binary = Binary::default();
        let base = object.dlpi_addr as usize;
        // SAFETY: the loader says that so many headers are there, for as long as the object is loaded.
        let headers = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
        for header in headers {
            let begin = base.wrapping_add(header.p_vaddr as usize);
            match header.p_type {
                libc::PT_LOAD if header.p_flags & libc::PF_X != 0 => {
                    binary.code.push(begin..begin + header.p_memsz as usize);
                }
                libc::PT_DYNAMIC => {
                    binary.is_dynamic = true;
                    binary.constructors = constructors(base, begin);
                }
                _ => {}
            }
        }
        binary
    }
}

extern "C" fn look(object: *mut libc::dl_phdr_info, _size: usize, found: *mut c_void) -> c_int {
    // SAFETY: the loader gives a valid object, and the pointer is the one of `Binary::own`.
    unsafe { *found.cast::<Option<Binary>>() = Some(Binary::of(&*object)) };
    // One is enough.
    1
}

/// Where the dynamic section says that the constructors are.
fn constructors(base: usize, section: usize) -> Option<Range<usize>> {
    let mut entry: *const Dynamic = ptr::with_exposed_provenance(section);
    let (mut begin, mut length) = (None, None);
    loop {
        // SAFETY: the section is one of the loaded object, and ends with an entry that is null.
        let Dynamic { tag, value } = unsafe { entry.read() };
        match tag {
            DT_NULL => break,
            DT_INIT_ARRAY => begin = Some(base.wrapping_add(value)),
            DT_INIT_ARRAYSZ => length = Some(value),
            _ => {}
        }
        // SAFETY: it was not the last one.
        entry = unsafe { entry.add(1) };
    }
    Some(begin?..begin? + length?)
}
